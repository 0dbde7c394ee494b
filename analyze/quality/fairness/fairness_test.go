package fairness_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

func gaps(t *testing.T, a, b fairness.Group) map[fairness.Criterion]fairness.Gap {
	t.Helper()
	all, err := fairness.Compare(a, b, 1)
	if err != nil {
		t.Fatal(err)
	}
	out := make(map[fairness.Criterion]fairness.Gap)
	for _, g := range all {
		out[g.Criterion] = g
	}
	if len(out) != len(fairness.Criteria()) {
		t.Fatalf("%d criteria, want %d", len(out), len(fairness.Criteria()))
	}
	return out
}

func close(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %.12g, want %.12g", what, got, want)
	}
}

// 56 of 70 against 48 of 80 is Newcombe's own example (1998, table II, row a): the
// difference 0.2 has the interval 0.0524 to 0.3339 by his method 10.
func TestDifferenceEqualsNewcombe(t *testing.T) {
	a := fairness.Group{Name: "a", Predictions: 70, Called: 56}
	b := fairness.Group{Name: "b", Predictions: 80, Called: 48}
	g := gaps(t, a, b)[fairness.DemographicParity]
	close(t, "the difference", g.Difference.Value, 0.2, 1e-12)
	close(t, "its lower end", g.Difference.Low, 0.0524, 5e-5)
	close(t, "its upper end", g.Difference.High, 0.3339, 5e-5)
	close(t, "the ratio", g.Ratio.Value, 0.8/0.6, 1e-12)
	if !g.Ratio.Holds(g.Ratio.Value) {
		t.Errorf("the ratio is %+v", g.Ratio)
	}
}

func TestEachCriterionComparesItsShares(t *testing.T) {
	a := fairness.Group{Name: "a", Predictions: 400, Called: 120, Labelled: metric.Confusion{TP: 60, FP: 30, FN: 40, TN: 170}}
	b := fairness.Group{Name: "b", Predictions: 500, Called: 250, Labelled: metric.Confusion{TP: 90, FP: 90, FN: 10, TN: 210}}
	g := gaps(t, a, b)
	for c, want := range map[fairness.Criterion]float64{
		fairness.DemographicParity: 0.3 - 0.5, fairness.EqualOpportunity: 0.6 - 0.9, fairness.FalsePositiveParity: 0.15 - 0.3,
		fairness.EqualisedOdds: 0.6 - 0.9, fairness.PredictiveParity: 60.0/90 - 0.5,
	} {
		close(t, string(c), g[c].Difference.Value, want, 1e-12)
		if g[c].Difference.State != metric.OK || !g[c].Difference.Holds(want) || g[c].Ratio.State != metric.OK || !g[c].Ratio.Holds(g[c].Ratio.Value) {
			t.Errorf("%s is %+v", c, g[c])
		}
	}
	if odds, half := g[fairness.EqualisedOdds].Difference, g[fairness.EqualOpportunity].Difference; odds.Width() <= half.Width() {
		t.Errorf("the larger of two gaps has the interval %+v, one alone %+v", odds.Interval, half.Interval)
	}
	back := gaps(t, b, a)
	for c := range g {
		close(t, string(c)+" the other way", back[c].Difference.Value, -g[c].Difference.Value, 1e-12)
		close(t, string(c)+"'s lower end the other way", back[c].Difference.Low, -g[c].Difference.High, 1e-12)
	}
}

func TestFewEventsAreNeverEqual(t *testing.T) {
	large := fairness.Group{Name: "large", Predictions: 900, Called: 300, Labelled: metric.Confusion{TP: 100, FP: 50, FN: 50, TN: 500}}
	small := fairness.Group{Name: "small", Predictions: 25, Called: 5, Labelled: metric.Confusion{TP: 2, FP: 2, FN: 1, TN: 19}}
	g := gaps(t, small, large)
	for c, want := range map[fairness.Criterion]metric.State{
		fairness.DemographicParity: metric.OK, fairness.EqualOpportunity: metric.Insufficient,
		fairness.FalsePositiveParity: metric.OK, fairness.EqualisedOdds: metric.Insufficient, fairness.PredictiveParity: metric.Insufficient,
	} {
		if d := g[c].Difference; d.State != want || (want != metric.OK) != math.IsNaN(d.Low) {
			t.Errorf("%s of a small group is %+v, want %s", c, d, want)
		}
	}
	empty := gaps(t, fairness.Group{Name: "nobody"}, large)
	for c, gap := range empty {
		if gap.Difference.State != metric.Missing {
			t.Errorf("%s of nobody is %+v", c, gap.Difference)
		}
	}
	none := fairness.Group{Name: "none called", Predictions: 100}
	if r := gaps(t, large, none)[fairness.DemographicParity].Ratio; r.State != metric.Insufficient || !math.IsNaN(r.Value) {
		t.Errorf("the ratio to a share of 0 is %+v", r)
	}
	if r := gaps(t, none, large)[fairness.DemographicParity].Ratio; r.State != metric.OK || r.Low != 0 || r.High <= 0 || r.High > 0.3 {
		t.Errorf("the ratio of a share of 0 is %+v", r)
	}
	if _, err := fairness.Compare(fairness.Group{Predictions: 1, Called: 2}, large, 1); err == nil {
		t.Error("more called than predicted is compared")
	}
}

func TestIntervalsHoldTheirLevel(t *testing.T) {
	const samples = 1000
	rng := rand.New(rand.NewPCG(1, 9))
	draw := func(n int64, p float64) (hits int64) {
		for range n {
			if rng.Float64() < p {
				hits++
			}
		}
		return hits
	}
	var difference, ratio float64
	for range samples {
		a := fairness.Group{Predictions: 150, Called: draw(150, 0.12)}
		b := fairness.Group{Predictions: 400, Called: draw(400, 0.2)}
		all, err := fairness.Compare(a, b, 1)
		if err != nil {
			t.Fatal(err)
		}
		if all[0].Difference.Holds(-0.08) {
			difference++
		}
		if all[0].Ratio.Holds(0.6) {
			ratio++
		}
	}
	for what, held := range map[string]float64{"difference": difference, "ratio": ratio} {
		if share := held / samples; share < 0.92 || share > 0.98 {
			t.Errorf("the interval of the %s holds %.1f %%", what, 100*share)
		}
	}
}

// Of five groups that are treated unlike the reference by as much, the intervals that
// hold at once hold together as often as one is promised to; those of one alone do not.
func TestIntervalsHoldAtOnce(t *testing.T) {
	const groups, rounds, n = 5, 4000, 300
	r := rand.New(rand.NewPCG(17, 5))
	draw := func(p float64) (g fairness.Group) {
		for g.Predictions = n; g.Labelled.TP+g.Labelled.FN < n; {
			if r.Float64() < p {
				g.Labelled.TP++
			} else {
				g.Labelled.FN++
			}
		}
		g.Called = g.Labelled.TP
		return g
	}
	together, alone := 0, 0
	for range rounds {
		reference := draw(0.5)
		heldTogether, heldAlone := true, true
		for range groups {
			all, err := fairness.Compare(draw(0.4), reference, groups)
			if err != nil {
				t.Fatal(err)
			}
			heldTogether = heldTogether && all[1].AtOnce.Holds(0.1)
			heldAlone = heldAlone && all[1].Difference.Holds(-0.1)
		}
		if heldTogether {
			together++
		}
		if heldAlone {
			alone++
		}
	}
	if share := float64(together) / rounds; share < 0.945 || share > 0.985 {
		t.Errorf("all hold at once in %.3f of the cases", share)
	}
	if share := float64(alone) / rounds; share > 0.9 {
		t.Errorf("the intervals of one hold at once in %.3f of the cases: the others would not be needed", share)
	}
}

// The half whose gap is smaller may be the one that nothing is known of.
func TestEqualisedOddsKnowBothHalves(t *testing.T) {
	sure, few := metric.Confusion{TP: 3000, FN: 7000, FP: 12, TN: 18}, metric.Confusion{TP: 5200, FN: 4800, FP: 15, TN: 15}
	a := fairness.Group{Name: "a", Predictions: 10_030, Called: 3012, Labelled: sure}
	b := fairness.Group{Name: "b", Predictions: 10_030, Called: 5215, Labelled: few}
	g := gaps(t, a, b)
	odds, opportunity, alarm := g[fairness.EqualisedOdds], g[fairness.EqualOpportunity], g[fairness.FalsePositiveParity]
	if odds.Difference.Value != opportunity.Difference.Value || !(odds.AtOnce.Low > 0.19 && odds.AtOnce.High > alarm.AtOnce.High && alarm.AtOnce.High > opportunity.AtOnce.High) {
		t.Errorf("odds %+v, opportunity %+v, alarm %+v", odds.AtOnce, opportunity.AtOnce, alarm.AtOnce)
	}
}
