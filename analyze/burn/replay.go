package burn

import (
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/deploys.sql
var deploysSQL string

//go:embed sql/changes.sql
var changesSQL string

// Nowcaster says what the nowcast of an objective was at the end of a full hour, as
// far as could be known then; false where there was none.
type Nowcaster interface {
	At(ctx context.Context, o plumbline.Objective, deploy plumbline.DeployHash, hour time.Time) (Nowcast, bool, error)
}

// Replayed is a condition of an objective of quality that began or ended to hold.
type Replayed struct {
	At     time.Time
	Deploy plumbline.DeployHash
	Pair   plumbline.WindowPair
	// Clock is plumbline.ClockMatured or plumbline.ClockNowcast.
	Clock string
	// Severity is that of the pair, but a ticket for a nowcast that is not proven,
	// and for a page by labels that estimates since speak against or that missing
	// labels may explain.
	Severity string
	Fires    bool
	// Long and Short are the bad shares of the pair's windows.
	Long, Short float64
}

// Replay evaluates an objective of quality at the end of every minute of
// [from, to], each time with the labels known by then, and at the end of every
// full hour on estimates, unless nowcasts is nil. It calls report where a
// condition begins or ends to hold, and progress at every full hour of a deploy,
// with the share of all deploys that is done.
func (r Reader) Replay(ctx context.Context, o plumbline.Objective, nowcasts Nowcaster, from, to time.Time, report func(Replayed), progress func(share float64)) error {
	deploys, err := r.deploys(ctx, o, from, to)
	if err != nil {
		return fmt.Errorf("replay SLO %q: %w", o.SLO.Name, err)
	}
	if o.SLO.Deploy != "" {
		deploys = slices.DeleteFunc(deploys, func(s served) bool { return s.deploy != o.SLO.Deploy })
	}
	beside := concurrent(deploys, from.Truncate(time.Minute), to, r.lag()+o.Longest())
	for i, s := range deploys {
		told := func(at time.Time) {
			done := max(float64(at.Sub(from))/float64(to.Sub(from)), 0)
			progress((float64(i) + done) / float64(len(deploys)))
		}
		d := deployReplay{Reader: r, objective: o, nowcasts: nowcasts, deploy: s.deploy, beside: beside, from: from, to: to, report: report, progress: told}
		if err := d.run(ctx); err != nil {
			return fmt.Errorf("replay SLO %q of deploy %q: %w", o.SLO.Name, s.deploy, err)
		}
	}
	return nil
}

// served is when a deploy answered: of each hour in which it did the first minute and
// the last, in seconds.
type served struct {
	deploy      plumbline.DeployHash
	first, last []uint32
}

// in reports whether a deploy answered in minutes that begin in [from, to], which is
// longer than an hour.
func (s served) in(from, to time.Time) bool {
	i, _ := slices.BinarySearch(s.last, uint32(max(from.Unix(), 0)))
	return i < len(s.first) && int64(s.first[i]) <= to.Unix()
}

// concurrent returns of every minute of [from, to] how many deploys answered within a
// reach of it: they share the noise that is allowed.
func concurrent(deploys []served, from, to time.Time, reach time.Duration) []int {
	var beside []int
	for at := from; !at.After(to); at = at.Add(time.Minute) {
		n := 0
		for _, s := range deploys {
			if s.in(at.Add(-reach), at) {
				n++
			}
		}
		beside = append(beside, n)
	}
	return beside
}

// deploys reads which deploys an evaluation in a range can see, and when they answered.
func (r Reader) deploys(ctx context.Context, o plumbline.Objective, from, to time.Time) (all []served, err error) {
	rows, err := r.Conn.Query(ctx, deploysSQL, clickhouse.Named("model", string(o.SLO.Model)), clickhouse.Named("segment", string(o.SLO.Segment)),
		clickhouse.Named("from", from.Add(-r.lag()-o.Longest()).Truncate(time.Minute).Unix()), clickhouse.Named("to", to.Unix()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var (
			deploy string
			s      served
		)
		if err := rows.Scan(&deploy, &s.first, &s.last); err != nil {
			return nil, err
		}
		s.deploy = plumbline.DeployHash(deploy)
		all = append(all, s)
	}
	return all, rows.Err()
}

func (r Reader) lag() time.Duration {
	if r.MaxLag == 0 {
		return DefaultMaxLag
	}
	return r.MaxLag
}

// deployReplay is the Replay of one deploy.
type deployReplay struct {
	Reader
	objective plumbline.Objective
	nowcasts  Nowcaster // may be nil
	deploy    plumbline.DeployHash
	// beside is of every minute of [from, to] what concurrent returns.
	beside   []int
	from, to time.Time
	report   func(Replayed)
	progress func(time.Time)
}

func (d deployReplay) run(ctx context.Context) error {
	o, reach := d.objective, d.lag()+d.objective.Longest()
	start := d.from.Add(-reach).Truncate(time.Minute)
	bounds := []any{
		clickhouse.Named("model", string(o.SLO.Model)), clickhouse.Named("segment", string(o.SLO.Segment)), clickhouse.Named("deploy", string(d.deploy)),
		clickhouse.Named("from", start.Unix()), clickhouse.Named("to", d.to.Unix()), clickhouse.Named("known", d.to.UnixMilli()),
	}
	all, err := d.minutes(ctx, cellsSQL, start, int(d.to.Sub(start)/time.Minute)+1, bounds...)
	if err != nil {
		return err
	}
	m, ok := all[d.deploy]
	if !ok {
		return nil
	}
	m.Random = d.Random[o.SLO.Model]
	clear(m.Labelled)
	clear(m.Correct)
	clear(m.Rows)
	changes, err := d.changes(ctx, bounds...)
	if err != nil {
		return err
	}
	clocks := newClocks(o, d.deploy, d.report)
	for i, at := 0, d.from.Truncate(time.Minute); !at.After(d.to); i, at = i+1, at.Add(time.Minute) {
		for len(changes) > 0 && !changes[0].known.After(at) {
			m.apply(changes[0])
			changes = changes[1:]
		}
		if hour := at.Truncate(time.Hour); !clocks.hour.Equal(hour) {
			if err := clocks.ask(ctx, d.nowcasts, hour); err != nil {
				return err
			}
			d.progress(hour)
		}
		seen := m.until(at, reach)
		if !seen.served(at, o.Longest()) {
			seen = NewMinutes(at, 0) // the service evaluates it no longer
		}
		clocks.tick(at, evaluateAll(o, seen, at, d.beside[i]))
	}
	return nil
}

// change is what one label changed when it became known.
type change struct {
	known, minute     time.Time
	labelled, correct int64
	// requests is what the prediction stands for.
	requests int64
}

// changes reads what labels changed, in the order in which they became known.
func (r Reader) changes(ctx context.Context, parameters ...any) ([]change, error) {
	rows, err := r.Conn.Query(ctx, changesSQL, parameters...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []change
	for rows.Next() {
		var c change
		if err := rows.Scan(&c.known, &c.minute, &c.labelled, &c.correct, &c.requests); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// apply adds what one label changed.
func (m Minutes) apply(c change) {
	if i := int(c.minute.Sub(m.Start) / time.Minute); i >= 0 && i < len(m.Requests) {
		m.Labelled[i] += c.labelled * c.requests
		m.Correct[i] += c.correct * c.requests
		m.Rows[i] += c.labelled
	}
}

// served reports whether there were requests in a window that ends at an instant,
// by the hour in which the last came.
func (m Minutes) served(at time.Time, window time.Duration) bool {
	for i := len(m.Requests) - 1; i >= 0; i-- {
		if m.Requests[i] > 0 {
			last := m.Start.Add(time.Duration(i) * time.Minute).Truncate(time.Hour)
			return last.Add(time.Hour).After(at.Add(-window))
		}
	}
	return false
}

// until returns the minutes that an evaluation at an instant reads.
func (m Minutes) until(at time.Time, reach time.Duration) Minutes {
	first := max(int(at.Add(-reach).Sub(m.Start)/time.Minute), 0)
	end := min(int(at.Sub(m.Start)/time.Minute)+1, len(m.Requests))
	return Minutes{Start: m.Start.Add(time.Duration(first) * time.Minute), Random: m.Random, Requests: m.Requests[first:end],
		Labelled: m.Labelled[first:end], Correct: m.Correct[first:end], Rows: m.Rows[first:end]}
}
