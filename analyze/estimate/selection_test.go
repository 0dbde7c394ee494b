package estimate

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// TestSelectedIsCochransDifference holds two strata against figures that were worked
// out by hand: of 100 early labels with p = .2, 30 are positive, of 50 late ones 5;
// and of 40 and 60 with p = .5, 20 and 33. Gaps -.2 and .05, with variances
// .16 (1/100 + 1/50) = .0048 and .25 (1/40 + 1/60) = .0104167.
func TestSelectedIsCochransDifference(t *testing.T) {
	early := append(labels(1, 0.2, 30, 70), labels(2, 0.5, 20, 20)...)
	late := append(labels(1, 0.2, 5, 45), labels(2, 0.5, 33, 27)...)
	few := labels(3, 0.5, 19, 0) // too few to be compared
	s := Selected([]Period{{append(early, few...), append(late, labels(3, 0.5, 0, 500)...)}}, 0)
	const weights = 1/0.0048 + 1/0.010416666666666666
	want := (-0.2/0.0048 + 0.05/0.010416666666666666) / weights
	for what, pair := range map[string][2]float64{
		"gap":    {s.Gap, want},
		"low":    {s.Low, want - 1.959963984540054/math.Sqrt(weights)},
		"high":   {s.High, want + 1.959963984540054/math.Sqrt(weights)},
		"chance": {s.Chance, 3 * math.Erfc(0.2/math.Sqrt(0.0048)/math.Sqrt2)},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("%s %v, want %v", what, pair[0], pair[1])
		}
	}
	if s.Early != 140 || s.Late != 110 || s.Alike() || s.Differs() || !strings.HasPrefix(s.Says("2 days"), "labels may come") {
		t.Errorf("%d early, %d late, chance %.4f: %s", s.Early, s.Late, s.Chance, s.Says("2 days"))
	}
	// The same gaps are within what a model errs anyway.
	if s := Selected([]Period{{early, late}}, 0.5); !s.Alike() || s.Gap == 0 {
		t.Errorf("with a spread of half a standard deviation: %+v", s)
	}
}

// labels are so many positive and negative ones that were expected to be positive
// with a probability.
func labels(s Stratum, p float64, positive, negative int64) []Event {
	e := Outcome(s, p, 1, 0)
	var out []Event
	if positive > 0 {
		out = append(out, e.Times(Tally{Count: positive}).With(1))
	}
	if negative > 0 {
		out = append(out, e.Times(Tally{Count: negative}).With(0))
	}
	return out
}

// TestSelectedSeldomCriesWolf simulates models whose labels come when they like, and
// models of fraud, whose positive labels come first.
func TestSelectedSeldomCriesWolf(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	const worlds = 4000
	alike, differs, caught := 0, 0, 0
	for range worlds {
		var early, late, first, then []Event
		for i := range 400 {
			p := []float64{0.1, 0.3, 0.6}[i%3]
			e := Outcome(Stratum(i%3), p, 1, 0)
			truth, soon := r.Float64() < p, r.Float64() < 0.2+0.2*float64(i%3)
			if truth {
				e = e.With(1)
			} else {
				e = e.With(0)
			}
			if soon {
				early = append(early, e)
			} else {
				late = append(late, e)
			}
			if truth && r.Float64() < 0.6 || r.Float64() < 0.2 {
				first = append(first, e)
			} else {
				then = append(then, e)
			}
		}
		s := Selected([]Period{{early, late}}, 0)
		if s.Alike() {
			alike++
		}
		if s.Differs() {
			differs++
		}
		if Selected([]Period{{first, then}}, 0.01).Differs() {
			caught++
		}
	}
	// Bonferroni promises at most 5 % and .1 %; four standard deviations above them.
	promised := func(share float64) float64 { return worlds*share + 4*math.Sqrt(worlds*share*(1-share)) }
	if found := float64(worlds - alike); found > promised(alikeChance) || found < worlds*alikeChance/2 {
		t.Errorf("of %d innocent worlds %g are not alike", worlds, found)
	}
	if float64(differs) > promised(differsChance) {
		t.Errorf("of %d innocent worlds %d differ", worlds, differs)
	}
	if caught < worlds*99/100 {
		t.Errorf("of %d worlds whose positive labels come first %d are found", worlds, caught)
	}
}

// A model that was right nine times of ten while labels took long, and is seven times
// of ten now that they come soon, is no model whose labels are selected.
func TestSelectedIsOfOneTimeAndTheSame(t *testing.T) {
	was := Period{Early: labels(0, 0.8, 18, 2), Late: labels(0, 0.8, 900, 100)}
	is := Period{Early: labels(0, 0.8, 700, 300), Late: labels(0, 0.8, 14, 6)}
	if s := Selected([]Period{was, is}, 0); !s.Alike() || math.Abs(s.Gap) > 1e-12 || s.Early != 1020 || s.Late != 1020 {
		t.Errorf("%+v", s)
	}
	if s := Selected([]Period{{append(was.Early, is.Early...), append(was.Late, is.Late...)}}, 0); !s.Differs() {
		t.Errorf("taken together: %+v", s)
	}
}

func TestSelectedNeedsBothKinds(t *testing.T) {
	for name, s := range map[string]Selection{
		"no late label":    Selected([]Period{{labels(0, 0.5, 100, 100), nil}}, 0),
		"too few early":    Selected([]Period{{labels(0, 0.5, 10, 9), labels(0, 0.5, 100, 100)}}, 0),
		"in other strata":  Selected([]Period{{labels(0, 0.5, 100, 100), labels(1, 0.5, 100, 100)}}, 0),
		"in other periods": Selected([]Period{{labels(0, 0.5, 100, 100), nil}, {nil, labels(0, 0.5, 100, 100)}}, 0),
		"nothing expected": Selected([]Period{{labels(0, 0, 0, 100), labels(0, 0, 0, 100)}}, 0),
	} {
		if s.State != metric.Insufficient || s.Alike() || s.Differs() || !strings.HasPrefix(s.Says("1 h"), "too few") {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// Sampled labels are worth less than their requests.
	sampled := []Event{Outcome(0, 0.5, 1, 0).Times(Tally{19, Weight{1900, 190_000}}).With(1)}
	if s := Selected([]Period{{sampled, sampled}}, 0); s.State != metric.Insufficient {
		t.Errorf("19 labels that stand for 1,900 requests: %+v", s)
	}
}
