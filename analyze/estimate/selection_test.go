package estimate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

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

// TestSelectedIsCochransDifference holds two strata against figures that were worked
// out by hand: of 1,000 early labels with p = .2, 300 are positive, of 500 late ones
// 50; and of 400 and 600 with p = .5, 200 and 330. Gaps of -.2 and .05 are -.5 and .1
// standard deviations, worth 1000/3 and 240 labels.
func TestSelectedIsCochransDifference(t *testing.T) {
	s := Selected([]Period{
		{Early: labels(1, 0.2, 300, 700), Late: labels(1, 0.2, 50, 450)},
		{Early: labels(2, 0.5, 200, 200), Late: append(labels(2, 0.5, 330, 270), labels(3, 0.5, 0, 500)...)},
	})
	const weights = 1000./3 + 240
	effect := (-0.5*1000/3 + 0.1*240) / weights
	gap := (-0.2*1000/3 + 0.05*240) / weights
	half := 1.959963984540054 / math.Sqrt(weights) * (0.4*1000/3 + 0.5*240) / weights
	// Of the three looks, the first stratum has the least chance. Its furthest label is a
	// positive one of p = .2, two standard deviations away.
	const chance = 1000. / 3 * 0.4 * 0.4 / 2 / (1 + 2*0.4/3)
	for what, pair := range map[string][2]float64{
		"gap":    {s.Gap, gap},
		"low":    {s.Low, gap - half},
		"high":   {s.High, gap + half},
		"effect": {s.Effect, effect},
		"error":  {s.Error, 1 / math.Sqrt(weights)},
		"bias":   {s.Bias(), effect*effect - 1/weights},
		"chance": {s.Chance, 3 * 2 * math.Exp(-chance)},
	} {
		if math.Abs(pair[0]-pair[1]) > 1e-12 {
			t.Errorf("%s %v, want %v", what, pair[0], pair[1])
		}
	}
	if s.Early != 1400 || s.Late != 1100 || !s.Differs() || s.Says("2 days") != "labels come the sooner for what they say: of labels that were waited for, those that took longer than 2 days differ by -0.0953 (-0.132 to -0.0592)" {
		t.Errorf("%d early, %d late, chance %.4f: %s", s.Early, s.Late, s.Chance, s.Says("2 days"))
	}
}

// worldOf simulates labels of eight strata with a probability, some of which are
// early: by chance, or the positive ones rather.
func worldOf(r *rand.Rand, n int, p, early, earlyIfPositive float64) Period {
	var out Period
	for i := range n {
		e := Outcome(Stratum(i%8), p, 1, 0)
		truth, share := r.Float64() < p, early
		if e = e.With(0); truth {
			e, share = e.With(1), earlyIfPositive
		}
		if r.Float64() < share {
			out.Early = append(out.Early, e)
		} else {
			out.Late = append(out.Late, e)
		}
	}
	return out
}

// with returns the period with another's events as those of one stratum.
func (p Period) with(other Period, s Stratum) Period {
	of := func(events []Event) []Event {
		out := slices.Clone(events)
		for i := range out {
			out[i].Stratum = s
		}
		return out
	}
	return Period{append(p.Early, of(other.Early)...), append(p.Late, of(other.Late)...)}
}

// Models whose labels come when they like are never taken for others, however rare
// what they look for; models of fraud, whose positive labels come first, are found.
func TestSelectedSeldomCriesWolf(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 11))
	for _, p := range []float64{0.001, 0.01, 0.1, 0.3, 0.6} {
		const worlds = 1000
		innocent, bias, square := 0, 0.0, 0.0
		for range worlds {
			s := Selected([]Period{worldOf(r, 800, p, 0.3, 0.3)})
			if s.Differs() {
				innocent++
			}
			bias += s.Effect / worlds
			square += s.Effect * s.Effect / s.Error / s.Error / worlds
		}
		// .1 % are promised, and four standard deviations are not exceeded.
		if innocent > 5 {
			t.Errorf("p = %g: of %d innocent worlds %d differ", p, worlds, innocent)
		}
		if math.Abs(bias) > 0.012 || square < 0.75 || square > 1.3 {
			t.Errorf("p = %g: the effect is %.4f in the mean, and its square %.3f times what its error promises", p, bias, square)
		}
	}
	for _, p := range []float64{0.01, 0.1, 0.3} {
		for range 100 {
			if s := Selected([]Period{worldOf(r, 4000, p, 0.05, 0.8)}); !s.Differs() || s.Gap > 0 {
				t.Fatalf("p = %g: frauds that come first are not found: %+v", p, s)
			}
		}
	}
	// Strata are looked at one by one: all together say nothing here.
	var one, both Period
	for i := range 8 {
		first, rest := 0.3, 0.3
		if i == 7 {
			first = 0.6
		}
		one = one.with(worldOf(r, 2000, 0.5, rest, first), Stratum(i))
		if first, rest = 0.6, 0.2; i%2 == 0 {
			first, rest = rest, first
		}
		both = both.with(worldOf(r, 2000, 0.5, rest, first), Stratum(i))
	}
	for name, p := range map[string]Period{"one stratum of eight": one, "both ways": both} {
		if s := Selected([]Period{p}); !s.Differs() || math.Abs(s.Effect) > 0.13 {
			t.Errorf("%s: %+v", name, s)
		} else if says := s.Says("1 h"); math.Abs(s.Effect) <= hardly && !strings.HasPrefix(says, "labels of some strata come the sooner") {
			t.Errorf("%s: %s", name, says)
		}
	}
	// A gap that is sure, and hardly matters.
	if s := Selected([]Period{{Early: labels(0, 0.2, 210_000, 790_000), Late: labels(0, 0.2, 190_000, 810_000)}}); s.Differs() || s.Low < -0.022 || s.High > -0.018 {
		t.Errorf("two points in a million labels: %+v", s)
	}
}

// A model that was right nine times of ten while labels took long, and is seven times
// of ten now that they come soon, is no model whose labels are selected.
func TestSelectedIsOfOneTimeAndTheSame(t *testing.T) {
	was := Period{Early: labels(0, 0.8, 18, 2), Late: labels(0, 0.8, 900, 100)}
	is := Period{Early: labels(0, 0.8, 700, 300), Late: labels(0, 0.8, 14, 6)}
	if s := Selected([]Period{was, is}); s.Differs() || s.Bias() != 0 || math.Abs(s.Gap) > 1e-12 || s.Early != 1020 || s.Late != 1020 {
		t.Errorf("%+v", s)
	}
	if s := Selected([]Period{{append(was.Early, is.Early...), append(was.Late, is.Late...)}}); !s.Differs() {
		t.Errorf("taken together: %+v", s)
	}
}

func TestSelectedNeedsBothKinds(t *testing.T) {
	for name, periods := range map[string][]Period{
		"no late label":    {{labels(0, 0.5, 100, 100), nil}},
		"in other strata":  {{labels(0, 0.5, 100, 100), labels(1, 0.5, 100, 100)}},
		"in other periods": {{labels(0, 0.5, 100, 100), nil}, {nil, labels(0, 0.5, 100, 100)}},
		"nothing expected": {{labels(0, 0, 0, 100), labels(0, 0, 0, 100)}},
	} {
		if s := Selected(periods); s.State != metric.Insufficient || s.Differs() || !math.IsInf(s.Bias(), 1) || !strings.HasPrefix(s.Says("1 h"), "no labels of alike") {
			t.Errorf("%s: %+v", name, s)
		}
	}
	// 19 labels that stand for 1,900 requests are no more than 19.
	sampled := []Event{Outcome(0, 0.5, 1, 0).Times(Tally{19, Weight{1900, 190_000}}).With(1)}
	if s := Selected([]Period{{sampled, sampled}}); math.Abs(s.Error-math.Sqrt(2./19)) > 1e-12 {
		t.Errorf("sampled labels: %+v", s)
	}
}
