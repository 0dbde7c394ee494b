package ingest

import (
	"sync"
	"sync/atomic"
)

// CountBuffers makes an Ingester that has not run yet count the batches it has
// made room for in a topic: more than two a partition are never under way.
func CountBuffers(i *Ingester, topic string) *atomic.Int64 {
	n := &atomic.Int64{}
	pool := i.pools[topic]
	i.pools[topic] = &sync.Pool{New: func() any {
		n.Add(1)
		return pool.New()
	}}
	return n
}

// LastComplete is how the last batch of a partition is found.
const LastComplete = lastComplete
