package ingest

import (
	"runtime"
	"sync"
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// filled returns a buffer that holds n labels.
func filled(b buffers, n int) *rows {
	r := b.get()
	r.Labels.TS = make([]int64, n)
	return r
}

func TestABusyPartitionKeepsItsBuffersAndAQuietOneGivesThemUp(t *testing.T) {
	made := 0
	b := newBuffers(&sync.Pool{New: func() any {
		made++
		return &rows{Columns: decode.Columns{Labels: decode.NewLabels(decode.Limits{})}}
	}})
	first, second := filled(b, 65_536), filled(b, 65_536)
	b.put(first)
	b.put(second)
	for range 3 { // a pool forgets after two
		runtime.GC()
	}
	if b.get() != first || b.get() != second || made != 2 {
		t.Fatalf("%d buffers were made for a partition that is busy with two", made)
	}
	first.Labels.TS = make([]int64, 65_536/4)
	b.put(first)
	if b.get() != first {
		t.Error("a buffer that was a quarter full is not used again")
	}
	first.Labels.TS = make([]int64, 65_536/4-1)
	b.put(first)
	if b.get() == first {
		t.Error("a buffer that was mostly empty is kept at the size of the backlog")
	}
	empty := second
	empty.Reset()
	b.put(filled(b, 65_536))
	if kept := b.quiet(empty); kept == empty || kept.most != 0 || len(b.own) != 0 {
		t.Error("a partition that has caught up keeps what the backlog needed")
	}
	if small := filled(b, quietRows); b.quiet(small) != small {
		t.Error("a small buffer is given up")
	}
}
