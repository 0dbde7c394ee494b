package budget

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// A few quiet quarters: the budget is one ticket each. That more than twice as
// many come by chance has probability 1e-3 at most if the budget is kept; the
// full form counts 334 quarters.
func TestQuietQuarters(t *testing.T) {
	c := Config{Quarters: 3, Features: 6, Volumes: []float64{300, 3_000, 30_000}, Seed: 7}
	for _, s := range Scenarios() {
		tally, err := Run(t.Context(), c, s)
		if err != nil {
			t.Fatal(err)
		}
		for start, n := range tally.Tickets {
			if n > 10 {
				t.Errorf("%s, %s: %d false tickets in %d model-quarters", s.Name, start, n, c.Quarters)
			}
		}
		if s.Level > 0 && tally.Naive < 20*c.Quarters {
			t.Errorf("%s: each day on its own alarmed %d times only: the scenario tests nothing", s.Name, tally.Naive)
		}
	}
}

// The same seed gives the same tally, on however many processors.
func TestRunRepeats(t *testing.T) {
	c := Config{Quarters: 2, Features: 4, Volumes: []float64{300}, Seed: 3}
	s := Harder()[1]
	a, err := Run(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Run(t.Context(), c, s)
	if err != nil {
		t.Fatal(err)
	}
	if a.Naive != b.Naive || a.Tickets[Primed] != b.Tickets[Primed] || a.Tickets[Cold] != b.Tickets[Cold] || a.Naive == 0 {
		t.Errorf("%+v and %+v", a, b)
	}
}

// The shortcut past p-values and intervals is what package measure says.
func TestCompareIsMeasures(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		reference, current := make([]uint64, 15), make([]uint64, 15)
		for i := range reference {
			reference[i], current[i] = uint64(3_000+r.IntN(3_000)), uint64(300+r.IntN(300))
		}
		o := measure.DefaultOptions()
		o.Overdispersion = 1 + 3*r.Float64()
		want, err := measure.Cells{Reference: reference, Current: current}.Compare(o, watched()...)
		if err != nil {
			t.Fatal(err)
		}
		for i, id := range watched() {
			got := compare(id, reference, current, o.Overdispersion)
			for name, pair := range map[string][2]float64{
				"value": {got.Value, want[i].Value}, "null mean": {got.NullMean, want[i].NullMean}, "effect": {got.MinEffect, want[i].MinEffect},
			} {
				if math.Abs(pair[0]-pair[1]) > 1e-12*math.Abs(pair[1]) {
					t.Errorf("%s, %s: %v, want %v", id, name, pair[0], pair[1])
				}
			}
			if want[i].Method != measure.Asymptotic {
				t.Errorf("%s: %s", id, want[i].Method)
			}
		}
	}
}

func TestChangesAreFound(t *testing.T) {
	for _, s := range Scenarios() {
		d, err := Wait(t.Context(), s, 3_000, 1, 30, 4, 5)
		if err != nil {
			t.Fatal(err)
		}
		if d.Within(45) < 0.75 || d.Within(0) != 0 {
			t.Errorf("ramp, %s: tickets on days %v", s.Name, d.Days)
		}
	}
	p, err := Measure(t.Context(), 200, 1, 20, 1)
	if err != nil || p.Found[measure.PSI] < 0.9 {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestSeasonalSeries(t *testing.T) {
	s := Seasonal(9, 100, 4)
	a, err := s.Judge()
	if err != nil {
		t.Fatal(err)
	}
	if a.Windows != aWeek || a.Naive < 0.4 || a.Auto > 0.2 || a.Injected < 0.85 || a.Chosen[sameHours] == 0 {
		t.Errorf("%+v", a)
	}
	if _, err := Seasonal(8, 20, 1).Judge(); err == nil {
		t.Error("a series without a window to judge")
	}
}

func TestPictures(t *testing.T) {
	r := Results{
		Tallies: []Tally{{Scenario: Scenario{Name: "a < b"}, Quarters: 3, Tickets: map[Start]int{Primed: 1}, Naive: 40}},
		Powers:  []Power{{Size: 200, Shift: 0, Any: 0.01}, {Size: 200, Shift: 1, Any: 1}},
		Alarms:  []Alarms{{Series: "s", Windows: 10, Naive: 0.6, Auto: 0.05, Injected: -1}},
		Delays:  []Delay{{Ramp: 30, Shift: 1, Days: []int{12, 20, 61}}},
	}
	pictures := r.Pictures()
	if len(pictures) != 4 {
		t.Fatalf("%d pictures", len(pictures))
	}
	for name, svg := range pictures {
		if !strings.HasPrefix(svg, "<svg ") || !strings.HasSuffix(svg, "</svg>\n") || strings.Contains(svg, "NaN") || strings.Contains(svg, "a < b") {
			t.Errorf("%s: %s", name, svg)
		}
	}
	if len(Results{}.Pictures()) != 0 {
		t.Error("pictures of nothing")
	}
}
