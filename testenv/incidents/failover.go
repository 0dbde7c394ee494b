package incidents

import (
	"slices"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// failovers measures how long rule groups are nobody's after an evaluator was
// killed or stopped: until those that run say that they have every duty.
type failovers struct {
	all int // duties that there are
	now func() time.Time

	mu     sync.Mutex
	has    map[string]int // by evaluator, as it said last
	since  time.Time      // some are nobody's; zero if all are somebody's
	lasted []time.Duration
}

func newFailovers(all int, now func() time.Time) *failovers {
	return &failovers{all: all, now: now, has: make(map[string]int)}
}

// lost is called when an evaluator is gone.
func (f *failovers) lost(evaluator string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.has[evaluator] > 0 && f.since.IsZero() {
		f.since = f.now()
	}
	delete(f.has, evaluator)
}

// says is called with how many duties an evaluator says that it has.
func (f *failovers) says(evaluator string, duties int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.has[evaluator] = duties
	sum := 0
	for _, n := range f.has {
		sum += n
	}
	if !f.since.IsZero() && sum == f.all {
		f.lasted = append(f.lasted, f.now().Sub(f.since))
		f.since = time.Time{}
	}
}

// figures tell how long it took; no bar is set, for the clocks of a run are not
// those of production and the machine is loaded.
func (f *failovers) figures(name string) []figure.Figure {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.lasted) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(f.lasted))
	told := func(what string, value float64, unit string) figure.Figure {
		return figure.Figure{Name: name + "_failover" + what, Value: value, Unit: unit, Goal: "told", Met: true}
	}
	return []figure.Figure{
		told("s", float64(len(sorted)), "times"),
		told("_median", sorted[len(sorted)/2].Seconds(), "s"),
		told("_longest", sorted[len(sorted)-1].Seconds(), "s"),
	}
}
