package ask

import (
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
)

// A category costs its text and an entry of a map, in buckets of 12 bytes.
func TestWhatAWindowTakes(t *testing.T) {
	with := func(s drift.Sample) drift.Window {
		return drift.Window{Features: map[plumbline.Feature]drift.Sample{"f": s}, Outputs: map[plumbline.Series]drift.Sample{"score": s}}
	}
	empty := sizeOf("k", with(drift.Sample{}))
	numbers := drift.Sample{Numbers: drift.Histogram{Buckets: make([]int32, 300), Counts: make([]uint64, 300)}}
	if got := sizeOf("k", with(numbers)) - empty; got != 600 {
		t.Errorf("600 buckets cost %d", got)
	}
	values := map[string]uint64{}
	for i := range 300 {
		values[strings.Repeat("x", i)] = 1
	}
	// 2 series of 300 categories: 64 bytes each and 0+1+...+299 = 44850 of text.
	if got, want := sizeOf("k", with(drift.Sample{Values: values}))-empty, 2*(300*64+44850)/12; got < want || got > want+1 {
		t.Errorf("600 categories cost %d buckets, want %d", got, want)
	}
	if got := sizeOf(strings.Repeat("k", 1201), drift.Window{}) - sizeOf("k", drift.Window{}); got != 100 {
		t.Errorf("a key of 1200 bytes more costs %d buckets more, want 100", got)
	}
}

func TestWhatIsTooOldIsDropped(t *testing.T) {
	cache := &windows{cfg: Config{KeepFor: time.Hour, KeepCounts: 1000}, kept: map[string]keptWindow{}}
	for i, name := range []string{"a", "b", "a", "c"} { // at 0, 25, 50 and 75 min
		cache.put(name, drift.Window{}, end.Add(time.Duration(i)*25*time.Minute))
	}
	now := end.Add(90 * time.Minute) // b is 65 min old, a 40, c 15
	cache.put("d", drift.Window{}, now)
	if got := strings.Join(cache.order, ""); got != "acd" || len(cache.kept) != 3 || cache.size != 3*sizeOf("d", drift.Window{}) {
		t.Errorf("%s of size %d are kept, and %d windows", got, cache.size, len(cache.kept))
	}
	cache.cfg.KeepCounts = 2 * sizeOf("d", drift.Window{})
	cache.put("e", drift.Window{}, now)
	if got := strings.Join(cache.order, ""); got != "de" {
		t.Errorf("%s are kept, want the two that were read last", got)
	}
}
