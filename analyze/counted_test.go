package analyze

import (
	"math"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
)

func TestCountedFindings(t *testing.T) {
	pair := func(long, short time.Duration) plumbline.WindowPair {
		return plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: long, Short: short, Factor: 6}
	}
	o := plumbline.Objective{SLO: plumbline.SLO{Name: "s", Model: "m", Target: 0.99}, Pairs: []plumbline.WindowPair{pair(6*time.Hour, 30*time.Minute), pair(72*time.Hour, 6*time.Hour)}}
	found := countedFindings(count.Evaluation{Objective: o, Deploy: "d", Counted: []burn.Counted{
		{Pair: o.Pairs[0], End: now, Long: burn.Count{Bad: 20, Total: 100, Rows: 50}, Short: burn.Count{Bad: 5, Total: 10, Rows: 10}, Noise: 1e-6, Verdict: plumbline.VerdictBreach},
		{Pair: o.Pairs[1], End: now, Verdict: plumbline.VerdictMissing, Noise: 1},
	}})
	if len(found) != 3 {
		t.Fatalf("%d findings: %+v", len(found), found)
	}
	long, missing, short := found[0], found[1], found[2]
	if long.Window != 6*time.Hour || long.Value != 0.2 || long.P != 1e-6 || long.Count != 50 || math.Abs(long.Effect-0.19) > 1e-12 || !long.WindowEnd.Equal(now) || long.Verdict != plumbline.VerdictBreach {
		t.Errorf("%+v", long)
	}
	if short.Window != 30*time.Minute || short.Value != 0.5 || !math.IsNaN(short.P) {
		t.Errorf("%+v", short)
	}
	if missing.Window != 72*time.Hour || !math.IsNaN(missing.Value) || missing.Verdict != plumbline.VerdictMissing {
		t.Errorf("nothing came in, which is not health: %+v", missing)
	}
}
