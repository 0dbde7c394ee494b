package analyze

import (
	"math"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// What was learnt of how a stream varies comes on top of what weights and
// clusters already widen noise by.
func TestDispersedOnTopOfWeightsAndClusters(t *testing.T) {
	sample := func(weight float64, a, b uint64) drift.Window {
		s := drift.Sample{Values: map[string]uint64{"a": a, "b": b, "c": a + b}, Weight: weight}
		return drift.Window{Requests: 2 * (a + b), Features: map[plumbline.Feature]drift.Sample{"kind": s}}
	}
	for name, tt := range map[string]struct{ weight, design float64 }{"plain": {1, 1}, "sampled": {10, 1}, "clustered": {1, 3}, "both": {10, 3}} {
		before, now := sample(tt.weight, 40_000, 60_000), sample(tt.weight, 44_000, 56_000)
		answer := ask.Answer{Current: now, Clusters: &cluster.Effects{Key: "user", Clusters: 100}, References: []ask.Resolved{{Asked: ask.Reference{Kind: ask.Training}, Window: before}}}
		o := measure.DefaultOptions()
		o.Overdispersion = tt.design
		plain, ok := apart(before.Features["kind"], now.Features["kind"], measure.PSI, o)
		if !ok {
			t.Fatal("not compared")
		}
		row := ask.Row{Series: plumbline.Feature("kind").Series(), Reference: plumbline.ReferenceTraining, Result: plain, Design: tt.design, Verdict: plumbline.VerdictOK}
		c := comparison{cfg: DefaultConfig(), dispersion: func(plumbline.Segment, ask.Row) float64 { return 4 }}
		got := c.dispersed(row, answer)
		if math.Abs(got.NullMean/plain.NullMean-4) > 1e-9 || got.Value != plain.Value || got.P <= plain.P {
			t.Errorf("%s: %v of noise %v, p %v; before %v of %v, p %v", name, got.Value, got.NullMean, got.P, plain.Value, plain.NullMean, plain.P)
		}
		if want := tt.weight * tt.design * 4 * 2 * (1. / 200_000 * 2); math.Abs(got.NullMean/want-1) > .01 {
			t.Errorf("%s: noise %v, want %v", name, got.NullMean, want)
		}
		if !strings.Contains(got.Assumption, "times as much as those of independent events; events of one user") {
			t.Errorf("%s assumes %q", name, got.Assumption)
		}
	}
}
