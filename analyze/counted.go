package analyze

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
)

// assumesCounts is what burn rates on counts rest on.
const assumesCounts = "every event counts once it has come in; p is the chance, a minute, that noise at exactly the target starts this"

// counted looks at the objectives that count events as they come.
type counted struct {
	counter *count.Counter
	reader  count.Reader
}

func newCounted(deps Dependencies, conn driver.Conn) *counted {
	return &counted{
		counter: count.New(count.DefaultConfig(), deps.DB, deps.Queries, deps.PromQL),
		reader:  count.Reader{Conn: conn},
	}
}

// look counts what is new and evaluates every window that ends with the minute
// now. What could not be counted is evaluated as far as it was: an indicator that
// nothing comes in for becomes missing by itself.
func (c *counted) look(ctx context.Context, objectives []plumbline.Objective, now time.Time) ([]Finding, error) {
	err := c.counter.Step(ctx, objectives, now)
	all, readErr := c.reader.At(ctx, objectives, now.Truncate(time.Minute).Add(time.Minute))
	var findings []Finding
	for _, e := range all {
		findings = append(findings, countedFindings(e)...)
	}
	return findings, errors.Join(err, readErr)
}

// countedFindings returns a finding for each window length; long windows carry
// what noise says of them.
func countedFindings(e count.Evaluation) []Finding {
	var findings []Finding
	add := func(c burn.Counted, length time.Duration, w burn.Count, long bool) {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Window == length }) {
			return
		}
		slo := e.Objective.SLO
		f := newFinding(plumbline.SignalBurn, plumbline.MeasureBadShare)
		f.Model, f.SLO, f.Deploy, f.Stage = slo.Model, slo.Name, e.Deploy, plumbline.StageProduction
		f.Window, f.WindowEnd, f.Count = length, c.End, uint64(max(w.Rows, 0))
		f.Verdict, f.Assumes = c.Verdict, assumesCounts
		if c.Verdict != plumbline.VerdictMissing {
			interval := w.Interval()
			f.Value, f.Low, f.High, f.NullMean = w.Share(), interval.Low, interval.High, 1-slo.Target
			f.Effect = f.Value - f.NullMean
			if long {
				f.P = c.Noise
			}
		}
		findings = append(findings, f)
	}
	for _, c := range e.Counted {
		add(c, c.Pair.Long, c.Long, true)
	}
	for _, c := range e.Counted {
		add(c, c.Pair.Short, c.Short, false)
	}
	return findings
}
