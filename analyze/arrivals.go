package analyze

import (
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

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
	// blind says of a model whether it was when it was looked at last, by this
	// process or by another that looked later.
	blind map[plumbline.Model]bool
	// silent are the models whose labels stay away.
	silent map[plumbline.Model]silence
}

// silence is since when the labels of a model have stayed away at every look, and
// what had arrived by the last one.
type silence struct {
	since, at time.Time
	arrived   float64
}

func newArrivals(cfg Config, conn querier) *arrivals {
	return &arrivals{
		reader: history.Reader{Conn: conn}, cfg: cfg, looked: map[plumbline.Model]attempt{},
		known: map[plumbline.Model]history.Arrivals{}, blind: map[plumbline.Model]bool{}, silent: map[plumbline.Model]silence{},
	}
}

// look compares the labels that came lately with those that should have.
func (l *arrivals) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	if last := l.looked[t.model]; last.stands(now, l.cfg.LabelArrival.Interval) {
		return nil, last.err
	}
	a, err := l.read(ctx, t.model, now)
	l.looked[t.model] = attempt{now, err}
	if err != nil {
		return nil, err
	}
	l.known[t.model] = a
	findings := l.findings(t.model, a, l.blind[t.model])
	last := &findings[len(findings)-1]
	if last.Value == 1 && !l.blind[t.model] {
		l.wait(t.model, a, last)
	} else {
		delete(l.silent, t.model)
	}
	l.blind[t.model] = last.Value == 1
	return findings, nil
}

// wait takes back that a model is blind until its labels have stayed away for as
// long as is configured. What the service has not caught up with, or a backfill
// whose predictions are ahead of its labels, is no silence: while labels come in,
// whatever hour they are of, it begins anew.
func (l *arrivals) wait(model plumbline.Model, a history.Arrivals, blind *Finding) {
	now := silence{since: a.Now, at: a.Now}
	for _, n := range a.Arrived {
		now.arrived += n
	}
	if was, ok := l.silent[model]; ok {
		longest := a.Judge(slices.Max(l.cfg.LabelArrival.Windows), l.cfg.LabelArrival.Least)
		usual := longest.Expected * float64(a.Now.Sub(was.at)) / float64(a.Now.Sub(longest.From))
		if came := now.arrived - was.arrived; came <= 0 || came < l.cfg.LabelArrival.Least*usual {
			now.since = was.since
		}
	}
	l.silent[model] = now
	if a.Now.Sub(now.since) >= l.cfg.LabelArrival.For {
		delete(l.silent, model)
		return
	}
	blind.Value, blind.Verdict, blind.WindowEnd = math.NaN(), plumbline.VerdictInsufficient, a.Now
	blind.Assumes = fmt.Sprintf("seen since %s, told after %s; %s", now.since.UTC().Format("15:04:05"), l.cfg.LabelArrival.For, blind.Assumes)
}

// read reads all of the history once an hour, and what is new of it meanwhile.
func (l *arrivals) read(ctx context.Context, model plumbline.Model, now time.Time) (history.Arrivals, error) {
	blind, at, err := l.wasBlind(ctx, model, now)
	if err != nil {
		return history.Arrivals{}, err
	}
	// Another replica may have told since: two that went on from what each saw itself
	// would contradict each other while a share hovers about the least. What this one
	// told stands where it could not be stored.
	if _, known := l.blind[model]; !known || !at.Before(l.looked[model].at.Truncate(time.Millisecond)) {
		l.blind[model] = blind
	}
	a, ok, err := l.reader.Later(ctx, model, l.known[model], now, slices.Max(l.cfg.LabelArrival.Windows))
	if err != nil || ok {
		return a, err
	}
	return l.reader.Arrivals(ctx, model, l.cfg.LabelArrival.History, now)
}

//go:embed sql/blind.sql
var blindSQL string

// wasBlind reads what was said last of a model and when, by this process or by
// another; at is zero where nothing was for a day.
func (l *arrivals) wasBlind(ctx context.Context, model plumbline.Model, now time.Time) (blind bool, at time.Time, err error) {
	rows, err := l.reader.Conn.Query(ctx, blindSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", now.Add(-day).UnixMilli()), clickhouse.Named("to", now.UnixMilli()))
	if err != nil {
		return false, at, fmt.Errorf("read whether model %q was blind: %w", model, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var value float64
		if err := rows.Scan(&value, &at); err != nil {
			return false, at, fmt.Errorf("read whether model %q was blind: %w", model, err)
		}
		blind = value == 1
	}
	return blind, at, rows.Err()
}

// findings are the share and the two counts of every window, and last whether the
// model is blind.
func (l *arrivals) findings(model plumbline.Model, a history.Arrivals, was bool) []Finding {
	var findings []Finding
	assumes := "labels take as long as they did before " + a.Fitted.UTC().Format("2006-01-02 15:04")
	seen := sight{least: l.cfg.LabelArrival.Least}
	for _, window := range slices.Sorted(slices.Values(l.cfg.LabelArrival.Windows)) {
		j := a.Judge(window, l.cfg.LabelArrival.Least)
		share := newFinding(plumbline.SignalLabelArrival, plumbline.MeasureArrivedShare)
		share.Model, share.Stage, share.Window, share.WindowEnd = model, plumbline.StageProduction, window, a.Now
		share.Value, share.Low, share.High, share.Verdict = j.Share, j.Low, j.High, j.Verdict
		share.Count, share.Assumes = unsigned(int64(j.Arrived)), j.Says+"; "+assumes
		findings = append(findings, share)
		seen.look(j)
		if j.Verdict == plumbline.VerdictMissing {
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
	}
	blind := newFinding(plumbline.SignalLabelArrival, plumbline.MeasureBlind)
	blind.Model, blind.Stage, blind.WindowEnd = model, plumbline.StageProduction, a.Now
	seen.tell(&blind, was, a.LastHeard(l.cfg.LabelArrival.Least))
	return append(findings, blind)
}

// sight is what the windows, the shortest first, say of whether a model is blind.
type sight struct {
	least float64
	// blind says that in a window surely too few labels came, sure that in one
	// that is newer than any such surely enough did.
	blind, sure bool
	says        history.Arrival // the window that decides
}

// look takes in the next longer window. A breach makes the model blind, whatever
// longer windows say; and once labels surely come again, what a longer window has
// not got over is history.
func (s *sight) look(j history.Arrival) {
	switch {
	case s.blind || s.sure:
	case j.Verdict == plumbline.VerdictBreach:
		s.blind, s.says = true, j
	case j.Verdict == plumbline.VerdictOK:
		// One window that can speak is enough to see.
		s.sure = j.Low >= s.least
		if s.sure || s.says.Verdict != plumbline.VerdictOK {
			s.says = j
		}
	case s.says.Verdict == "" || s.says.Verdict == plumbline.VerdictMissing:
		s.says = j
	}
}

// tell says whether the model is blind. One that was stays so until labels surely
// come: a share that hovers about the least is one outage, and one page.
func (s *sight) tell(f *Finding, was bool, heard time.Time) {
	f.Verdict, f.Assumes = s.says.Verdict, s.says.Says
	switch {
	case s.blind || was && !s.sure:
		f.Value, f.Verdict = 1, plumbline.VerdictBreach
		if !s.blind {
			f.Assumes = "labels stayed away and do not surely come again; " + f.Assumes
		}
		f.Assumes += "; nothing is known of the quality of what came later"
		if !heard.IsZero() {
			f.WindowEnd = heard
			f.Assumes = fmt.Sprintf("%s; labels came as usual until %s", f.Assumes, heard.UTC().Format("2006-01-02 15:04"))
		}
	case s.says.Verdict == plumbline.VerdictOK:
		f.Value = 0
	}
}

// lookArrival looks at the labels of every model, and is never kept waiting by
// what reads more.
func (r *Runner) lookArrival(ctx context.Context, now time.Time, keep keeper) error {
	return r.eachModel(ctx, now, func(t traffic) error { return r.keepOne(ctx, t, now, keep, r.arrivals.look) })
}
