package ingest

import "sync"

// buffers are the column buffers that the batches of one partition take turns
// with: one is filled while one is written.
//
// A pool alone will not do. It forgets what two collections have found unused,
// and under load there are several a batch: buffers of 65,536 events grew anew
// every few batches, which took a sixth of ingest's time. So a partition keeps
// its own while it is busy. What a backlog made large does not stay: a buffer
// that is mostly empty when its batch is stored, or full of text, is left to the
// collector, and a quiet partition keeps a small one.
type buffers struct {
	own  chan *rows
	pool *sync.Pool // of the topic's quiet partitions
}

// A buffer that held this many times the rows that its batch has is too large
// for it; one that held more than quietRows is too large for a quiet partition.
const (
	wasteful  = 4
	quietRows = 1024
	// Few rows may hold much text; more of it than this in one column is not kept.
	keptText = maxBatchText / 4
)

func newBuffers(pool *sync.Pool) buffers {
	return buffers{own: make(chan *rows, 2), pool: pool}
}

// get returns an empty buffer.
func (b buffers) get() *rows {
	var r *rows
	select {
	case r = <-b.own:
	default:
		r = b.pool.Get().(*rows)
	}
	r.Reset()
	return r
}

// put takes back the buffer of a batch that is stored.
func (b buffers) put(r *rows) {
	n := r.Len()
	if n < r.most/wasteful || r.Outgrows(keptText) {
		return
	}
	r.most = max(r.most, n)
	select {
	case b.own <- r:
	default:
		b.pool.Put(r)
	}
}

// quiet gives up the buffers of a partition that has nothing to read, and
// returns the one that it goes on with instead of the empty one that it has.
func (b buffers) quiet(empty *rows) *rows {
	for len(b.own) > 0 {
		b.release(<-b.own)
	}
	if empty.most <= quietRows {
		return empty
	}
	return b.get()
}

func (b buffers) release(r *rows) {
	if r.most <= quietRows {
		b.pool.Put(r)
	}
}
