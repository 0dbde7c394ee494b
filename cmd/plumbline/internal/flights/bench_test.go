package flights

import (
	"runtime"
	"testing"
)

// BenchmarkEvents measures how fast events are made: the demo's producer must
// not be what the backfill waits for.
func BenchmarkEvents(b *testing.B) {
	r := syntheticReplay(b)
	b.ReportAllocs()
	var bytes int64
	for b.Loop() {
		e, ok := r.Next()
		if !ok {
			r.nextTraining, r.nextDeploy, r.nextIn, r.nextLanding = 0, 0, 0, 0
			continue
		}
		bytes += int64(len(e.Value))
	}
	b.SetBytes(bytes / int64(b.N))
	runtime.KeepAlive(r)
}
