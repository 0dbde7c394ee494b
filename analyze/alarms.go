package analyze

import (
	"cmp"
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// AlarmConfig says when drift is worth a ticket.
type AlarmConfig struct {
	// Budget is how many false tickets are expected in a quarter at most, for one
	// model, over all features, answers, segments, measures and references.
	// Default 1.
	Budget float64 `yaml:"budget"`
	// History is how far back closed days are looked at where nothing is stored of
	// them: detectors learn from it what is usual. A ticket that is open for longer
	// than that is closed, and the stream learnt anew: what it says has become the
	// usual.
	// Default 91 days.
	History time.Duration `yaml:"history"`
	// Learn is how many of the first days of a stream are taken as quiet, so that
	// a feature which is far from its reference every day, as the weekday of one
	// day is, is known to be. What is wrong from a stream's first days is learnt
	// as usual too: it opens no ticket, and once the same hours of the weeks
	// before look alike, it is no breach of drift either: its distance is shown,
	// with verdict ok. Default 7 days.
	Learn time.Duration `yaml:"learn"`
}

func defaultAlarm() AlarmConfig { return AlarmConfig{Budget: 1, History: 91 * day, Learn: 7 * day} }

func (c AlarmConfig) validate() error {
	var errs []error
	if !(c.Budget > 0) {
		errs = append(errs, fmt.Errorf("analyze.alarm.budget: %v is not positive", c.Budget))
	}
	if c.History < 7*day || c.History > 400*day {
		errs = append(errs, fmt.Errorf("analyze.alarm.history: %s is not between 7 and 400 days", c.History))
	}
	if c.Learn < 0 || c.Learn%day != 0 || c.Learn > c.History {
		errs = append(errs, fmt.Errorf("analyze.alarm.learn: %s is not a number of days up to the history", c.Learn))
	}
	return errors.Join(errs...)
}

// daysAtOnce bounds how many closed days of a model one look goes through: a
// service that starts catches up over some looks, and others are not kept
// waiting.
const daysAtOnce = 4

// alarms takes the closed days of each model and has detectors decide over them.
// What they know is stored after every day, so that a service that starts goes on
// from there; it is computed anew from the rollups where the training set is
// another one, days came in late, or the settings changed. It belongs to the one
// goroutine that steps.
type alarms struct {
	cfg    Config
	drift  driftLook
	store  inserter
	now    func() time.Time
	models map[plumbline.Model]*days
}

// days is where one model stands.
type days struct {
	streams map[stream]watched
	// next is the start of the first day that was not looked at, last the end of
	// the latest one with requests, version that of the last day.
	next, last time.Time
	version    uint64
	// resumed says that what is stored was read; it is read up to until.
	resumed bool
	until   time.Time
	// requests is how many there were when a day was looked at, under its end,
	// and in the training set, under the zero time: other numbers are other days.
	requests map[time.Time]uint64
	// looked is when the model was last looked at, told when it last settled or
	// was decided on, wrote when findings were last returned.
	looked, told, wrote time.Time
	// settled says that all days were taken before the last look.
	settled bool
	// found is what was decided last: over the days before through, which is zero
	// once they were rewound, the latest of which ended at asOf.
	found         []Finding
	through, asOf time.Time
	// dispersion is how past quiet days varied, by stream.
	dispersion map[stream]varies
}

// stream is what one detector watches.
type stream struct {
	segment   plumbline.Segment
	series    plumbline.Series
	reference string
	measure   measure.ID
}

func newAlarms(cfg Config, w driftLook, store inserter) *alarms {
	return &alarms{cfg: cfg, drift: w, store: store, now: time.Now, models: map[plumbline.Model]*days{}}
}

// look says where each stream stands. While days are caught up with, or cannot
// be read, that is what was decided last, told as such: a ticket is closed by a
// decision alone.
func (a *alarms) look(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	newest, ok := t.newest()
	if !ok {
		return nil, nil
	}
	closed := t.end.Add(-settle).Truncate(day)
	d := a.models[t.model]
	if d == nil {
		d = &days{until: closed}
		d.rewind(a.from(t, closed))
		a.models[t.model] = d
	}
	d.looked = now
	maps.DeleteFunc(a.models, func(_ plumbline.Model, d *days) bool { return now.Sub(d.looked) > day }) // they serve no longer
	decided, err := a.lookAt(ctx, t, d, closed, now)
	if !decided && now.Sub(d.wrote) < a.cfg.SegmentInterval {
		return nil, err
	}
	d.wrote = now
	findings := slices.Clone(d.found)
	for i := range findings {
		findings[i].Deploy = newest.hash
		if !decided {
			findings[i].Assumes += fmt.Sprintf("; as decided for the day that ended %s: days are being read again, or could not be", d.asOf.Format(time.DateOnly))
		}
	}
	return findings, err
}

// lookAt takes the days that have closed, some at a time, and decides once it
// has caught up. It reports whether it did.
func (a *alarms) lookAt(ctx context.Context, t traffic, d *days, closed, now time.Time) (bool, error) {
	if !d.resumed {
		if err := a.resume(ctx, t.model, d, a.from(t, closed)); err != nil {
			return false, err
		}
	}
	for range daysAtOnce {
		if d.next.Before(closed) {
			if err := a.take(ctx, t, d, closed); err != nil {
				return false, fmt.Errorf("drift alarm: %w", err)
			}
		}
	}
	if d.next.Before(closed) {
		return false, nil
	}
	if !d.settled {
		// Nothing is decided on days that may still be loading.
		d.settled, d.told = true, now
	}
	if now.Sub(d.told) < a.cfg.SegmentInterval {
		return false, nil
	}
	if changed, err := a.changed(ctx, t, d, closed); err != nil || changed {
		return false, err
	}
	d.told = now
	if d.through.Equal(d.next) {
		return true, nil // of the same days, the same
	}
	d.forget(closed.Add(-a.cfg.Alarm.History))
	found := a.decide(t.model, d)
	d.found, d.through, d.asOf = found, d.next, d.last
	return true, nil
}

// from returns the first day that is looked at: that of a young model's first
// traffic.
func (a *alarms) from(t traffic, closed time.Time) time.Time {
	first := t.end
	for _, d := range t.deploys {
		if d.first.Before(first) {
			first = d.first
		}
	}
	if first.After(t.end.Add(day - lookback)) {
		return first.Truncate(day)
	}
	return closed.Add(-a.cfg.Alarm.History)
}

// take compares the next closed day with its references: all production traffic
// of it, and its segments. If the training set is not that of the days before
// any more, it goes back to the first day instead.
func (a *alarms) take(ctx context.Context, t traffic, d *days, closed time.Time) error {
	end := d.next.Add(day)
	q := ask.Question{
		Model: t.model, Stage: plumbline.StageProduction, From: d.next, To: end,
		References: a.drift.references, Measures: a.drift.measures, Options: a.cfg.distances(),
	}
	answer, err := a.drift.asker.Ask(ctx, q)
	if err != nil {
		return err
	}
	training, trained := trainingOf(answer)
	known, looked := d.requests[time.Time{}]
	if trained && looked && differ(training, known) {
		d.rewind(a.from(t, closed))
		d.startOver()
		a.drift.asker.Forget(t.model)
		return nil
	}
	answers := []ask.Answer{answer}
	if answer.Current.Requests > 0 {
		segments, err := a.drift.segmentsOf(ctx, q)
		if err != nil {
			return err
		}
		for _, q.Segment = range segments {
			if answer, err = a.drift.asker.Ask(ctx, q); err != nil {
				return err
			}
			answers = append(answers, answer)
		}
	}
	after, err := a.step(d, end, answers)
	if err != nil {
		return err
	}
	requests := answers[0].Current.Requests
	if err := a.keep(ctx, t.model, d, end, requests, training, after); err != nil {
		return err
	}
	if trained && !looked {
		d.requests[time.Time{}] = training
	}
	if requests > 0 {
		d.requests[end], d.last = requests, end
	}
	return nil
}

// step returns the streams of a day after it.
func (a *alarms) step(d *days, end time.Time, answers []ask.Answer) (map[stream]watched, error) {
	blocks := map[stream]alarm.Block{}
	for _, answer := range answers {
		for _, r := range answer.Rows {
			if r.Verdict == plumbline.VerdictMissing || !(comparison{cfg: a.cfg}).wanted(r, answer) {
				continue
			}
			blocks[stream{answer.Segment, r.Series, r.Reference, r.Measure}] = alarm.Block{
				End: end, Reference: r.Reference, Events: uint64(float64(r.Count) / max(1, r.Design)), Freedom: alarm.Freedom(r.Measure, filled(r, answer)), Result: r.Result,
			}
		}
	}
	cfg := alarm.DefaultConfig()
	cfg.Budget, cfg.Streams = a.cfg.Alarm.Budget, 0
	for s := range d.streams {
		if _, ok := blocks[s]; !ok {
			cfg.Streams++
		}
	}
	cfg.Streams = max(1, cfg.Streams+len(blocks))
	after := map[stream]watched{}
	for s, b := range blocks {
		w, err := d.streams[s].step(a.cfg.Alarm, cfg, b)
		if err != nil {
			return nil, err
		}
		after[s] = w
	}
	return after, nil
}

// rewind goes back to a day: what is known after it is read again. What was
// decided last is kept, and how quiet days varied, until it is known anew.
func (d *days) rewind(from time.Time) {
	d.next, d.settled, d.through = from, false, time.Time{}
	if d.streams != nil {
		d.resumed, d.until = false, from
	}
}

// startOver forgets everything: nothing that is stored is gone on from.
func (d *days) startOver() {
	d.resumed, d.streams, d.requests, d.last = true, map[stream]watched{}, map[time.Time]uint64{}, time.Time{}
}

//go:embed sql/days.sql
var daysSQL string

// lateShare is the share of a day's requests that may come in late before it is
// looked at again, and by which the training set may change.
const lateShare = 0.01

func differ(requests, known uint64) bool {
	return math.Abs(float64(requests)-float64(known)) > lateShare*float64(known)
}

// changed reports whether days are no longer as they were looked at, and rewinds
// to the first of them: events came in late, or were loaded from the past, or
// the training set is another one.
func (a *alarms) changed(ctx context.Context, t traffic, d *days, closed time.Time) (bool, error) {
	from := a.from(t, closed)
	rows, err := a.drift.conn.Query(ctx, daysSQL, clickhouse.Named("model", string(t.model)), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", closed.Unix()))
	if err != nil {
		return false, fmt.Errorf("drift alarm: read days of model %q: %w", t.model, err)
	}
	defer rows.Close()
	first := closed
	for rows.Next() {
		var number, requests uint64
		if err := rows.Scan(&number, &requests); err != nil {
			return false, fmt.Errorf("drift alarm: read days of model %q: %w", t.model, err)
		}
		start, end := from, time.Time{} // the training set is that of every day
		if number > 0 {
			start = time.Unix(int64(number)*86400, 0).UTC()
			end = start.Add(day)
		}
		known, looked := d.requests[end]
		if !looked && number == 0 && !slices.Contains(a.drift.references, ask.Reference{Kind: ask.Training}) {
			continue
		}
		if differ(requests, known) && start.Before(first) {
			first = start
		}
	}
	if err := rows.Err(); err != nil || !first.Before(closed) {
		return false, err
	}
	d.rewind(first)
	if first.Equal(from) {
		d.startOver()
	}
	a.drift.asker.Forget(t.model)
	return true, nil
}

// trainingOf returns how many requests the training set of an answer has.
func trainingOf(answer ask.Answer) (uint64, bool) {
	for _, r := range answer.References {
		if r.Chosen.Kind == ask.Training {
			return r.Window.Requests, true
		}
	}
	return 0, false
}

// filled returns how many cells either sample of a row fills.
func filled(r ask.Row, answer ask.Answer) int {
	for _, reference := range answer.References {
		if reference.Asked.String() != r.Reference {
			continue
		}
		before, now := reference.Window.Sample(r.Series), answer.Current.Sample(r.Series)
		cut, n := drift.NewCut(before), 0
		p, q := cut.CountReference(before), cut.Count(now)
		for i := range p {
			if p[i]+q[i] > 0 {
				n++
			}
		}
		return n
	}
	return 0
}

// forget drops the streams that were last seen by then, and the numbers of days
// before.
func (d *days) forget(then time.Time) {
	maps.DeleteFunc(d.streams, func(_ stream, w watched) bool { return !w.end.After(then) })
	maps.DeleteFunc(d.requests, func(end time.Time, _ uint64) bool { return !end.IsZero() && !end.After(then) })
}

// decision is where a stream stands.
type decision struct {
	stream stream
	watched
	// gone says that the stream has no block of the last day.
	gone bool
}

// decide returns the findings of the last day, and every ticket that was open
// when its stream was last seen, unless that is longer ago than the history.
func (a *alarms) decide(model plumbline.Model, d *days) []Finding {
	var all []decision
	d.learn()
	for s, w := range d.streams {
		now := decision{stream: s, watched: w, gone: !w.end.Equal(d.last)}
		if !now.gone || w.verdict.Ticket && d.last.Sub(w.Detector.Since) <= a.cfg.Alarm.History {
			all = append(all, now)
		}
	}
	slices.SortFunc(all, func(a, b decision) int { return cmp.Compare(fmt.Sprint(a.stream), fmt.Sprint(b.stream)) })
	return a.findings(model, all)
}

// learn says anew how past quiet days varied.
func (d *days) learn() {
	d.dispersion = map[stream]varies{}
	for s, w := range d.streams {
		d.dispersion[s] = variesOf(w.distances(s.measure), w.Freedom)
	}
}

// leastQuiet is how many quiet days say by how much a stream varies.
const leastQuiet = 7

// varies is how a stream varies around its own level.
type varies struct {
	alarm.Own
	freedom float64
}

// variesOf says how the distances of quiet days do, as independent events with
// too few to tell.
func variesOf(quiet []measure.Result, freedom float64) varies {
	v := varies{alarm.Own{Factor: 1}, freedom}
	if len(quiet) < leastQuiet {
		return v
	}
	if own, err := alarm.OwnDispersion(quiet, freedom); err == nil { // else too few of them have a distance
		v.Own = own
	}
	return v
}

// dispersionOf returns how many times as much as its own noise says a row of a
// window varies, by what was learnt of its series, reference and measure; 1
// before anything was.
func (a *alarms) dispersionOf(model plumbline.Model, segment plumbline.Segment, r ask.Row) float64 {
	if d := a.models[model]; d != nil {
		if v, ok := d.dispersion[stream{segment, r.Series, r.Reference, r.Measure}]; ok {
			return v.At(r.Result, v.freedom)
		}
	}
	return 1
}
