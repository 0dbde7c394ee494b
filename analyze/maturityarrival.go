package analyze

import (
	"context"
	"fmt"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
)

// arrivals says of every model whether its labels arrive. It reads rollups only,
// for a page may rest on it, and belongs to the one goroutine that steps.
type arrivals struct {
	reader history.Reader
	cfg    Config
	looked map[plumbline.Model]attempt
	known  map[plumbline.Model]history.Arrivals
}

func newArrivals(cfg Config, conn querier) *arrivals {
	return &arrivals{reader: history.Reader{Conn: conn}, cfg: cfg, looked: map[plumbline.Model]attempt{}, known: map[plumbline.Model]history.Arrivals{}}
}

// look compares the labels that came lately with those that should have.
func (l *arrivals) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	if last := l.looked[t.model]; now.Sub(last.at) < l.cfg.LabelArrival.Interval {
		return nil, last.err
	}
	a, err := l.read(ctx, t.model, now)
	l.looked[t.model] = attempt{now, err}
	if err != nil {
		return nil, err
	}
	l.known[t.model] = a
	return l.findings(t.model, a), nil
}

// read reads all of the history once an hour, and what is new of it meanwhile.
func (l *arrivals) read(ctx context.Context, model plumbline.Model, now time.Time) (history.Arrivals, error) {
	a, ok, err := l.reader.Later(ctx, model, l.known[model], now, slices.Max(l.cfg.LabelArrival.Windows))
	if err != nil || ok {
		return a, err
	}
	return l.reader.Arrivals(ctx, model, l.cfg.LabelArrival.History, now)
}

// findings are the share, the two counts of every window, and whether the model is
// blind.
func (l *arrivals) findings(model plumbline.Model, a history.Arrivals) []Finding {
	var findings []Finding
	assumes := "labels take as long as they did before " + a.Fitted.UTC().Format("2006-01-02 15:04")
	blind := newFinding(plumbline.SignalLabelArrival, plumbline.MeasureBlind)
	blind.Model, blind.Stage, blind.WindowEnd = model, plumbline.StageProduction, a.Now
	for _, window := range l.cfg.LabelArrival.Windows {
		j := a.Judge(window, l.cfg.LabelArrival.Least)
		share := newFinding(plumbline.SignalLabelArrival, plumbline.MeasureArrivedShare)
		share.Model, share.Stage, share.Window, share.WindowEnd = model, plumbline.StageProduction, window, a.Now
		share.Value, share.Low, share.High, share.Verdict = j.Share, j.Low, j.High, j.Verdict
		share.Count, share.Assumes = unsigned(int64(j.Arrived)), j.Says+"; "+assumes
		findings = append(findings, share)
		if j.Verdict == plumbline.VerdictMissing {
			blind.Assumes = j.Says
			continue
		}
		for _, count := range []struct {
			measure string
			value   float64
		}{{plumbline.MeasureLabelsArrived, j.Arrived}, {plumbline.MeasureLabelsExpected, j.Expected}} {
			f := share
			f.Measure, f.Value = count.measure, count.value
			f.Low, f.High = newFinding("", "").Low, newFinding("", "").High
			if f.Verdict == plumbline.VerdictBreach {
				f.Verdict = plumbline.VerdictOK // the share is the one that judges
			}
			findings = append(findings, f)
		}
		blind.told(j, a.LastHeard(l.cfg.LabelArrival.Least))
	}
	return append(findings, blind)
}

// told takes in what one window says: a breach makes the model blind, whatever
// longer windows say, and one window that can speak is enough to see.
func (f *Finding) told(j history.Arrival, heard time.Time) {
	switch {
	case j.Verdict == plumbline.VerdictBreach:
		f.Value, f.Verdict = 1, plumbline.VerdictBreach
		f.Assumes = j.Says + "; nothing is known of the quality of what came later"
		if !heard.IsZero() {
			f.WindowEnd = heard
			f.Assumes = fmt.Sprintf("%s; labels came as usual until %s", f.Assumes, heard.UTC().Format("2006-01-02 15:04"))
		}
	case j.Verdict == plumbline.VerdictOK && f.Verdict != plumbline.VerdictBreach:
		f.Value, f.Verdict, f.Assumes = 0, plumbline.VerdictOK, j.Says
	case f.Verdict == plumbline.VerdictMissing:
		f.Verdict, f.Assumes = j.Verdict, j.Says
	}
}

// lookArrival looks at the labels of every model, and is never kept waiting by
// what reads more.
func (r *Runner) lookArrival(ctx context.Context, now time.Time, keep keeper) error {
	return r.eachModel(ctx, now, func(t traffic) error { return r.keepOne(ctx, t, now, keep, r.arrivals.look) })
}

// lookEstimates says of every model how mature its windows are and what they will
// be.
func (r *Runner) lookEstimates(ctx context.Context, now time.Time, keep keeper) error {
	return r.eachModel(ctx, now, func(t traffic) error { return r.keepOne(ctx, t, now, keep, r.forecasts.look) })
}

// keepOne looks at one model and keeps what was found, beside an error too.
func (r *Runner) keepOne(ctx context.Context, t traffic, now time.Time, keep keeper, look func(context.Context, traffic, time.Time) ([]Finding, error)) error {
	found, err := r.within(ctx, func(ctx context.Context) ([]Finding, error) { return look(ctx, t, now) })
	if kept := keep(slices.Clone(found)); kept != nil {
		return kept
	}
	return err
}
