package count

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// Change is an alert that would have begun or ended.
type Change struct {
	At       time.Time
	SLO      plumbline.SLOName
	Deploy   plumbline.DeployHash
	Severity string
	Fires    bool
	// Counted is the pair as it stood; of an alert that ended for want of counts,
	// what it was before.
	Counted burn.Counted
}

// Replay evaluates the objectives at the end of every minute of [from, to], each
// time on what was known by then, and calls report with every change in order and
// progress after each hour. It counts raw rows anew, so that a threshold that was
// never counted can be tried, and stores nothing. What statements of users return
// is taken to have been known at the end of its minute. Objectives of quality are
// left out.
func (c *Counter) Replay(ctx context.Context, objectives []plumbline.Objective, from, to time.Time, report func(Change), progress func(time.Time)) error {
	from, to = from.Truncate(time.Minute), to.Truncate(time.Minute)
	var longest time.Duration
	for _, l := range lengthsOf(objectives) {
		longest = max(longest, l)
	}
	if longest == 0 || !from.Before(to) {
		return nil
	}
	slice := time.Duration(0) // windows of slices end up to one earlier
	for _, o := range objectives {
		slice = max(slice, o.SLO.SliceWindow)
	}
	past := newPast(from.Add(-longest-slice), to, lengthsOf(objectives))
	if err := c.fill(ctx, past, objectives); err != nil {
		return fmt.Errorf("replay SLOs: %w", err)
	}
	slos := make(map[plumbline.SLOName]plumbline.SLO, len(objectives))
	for _, o := range objectives {
		slos[o.SLO.Name] = o.SLO
	}
	alerts := newAlerts(report)
	for end := past.start; !end.After(to); end = end.Add(time.Minute) {
		if err := ctx.Err(); err != nil {
			return err
		}
		past.advance(end)
		if end.Before(from) {
			continue
		}
		e := evaluator{slos: slos, end: end, windows: past.windows, deploys: past.deploys(objectives, slos)}
		var all []Evaluation
		for _, o := range objectives {
			if len(o.Pairs) > 0 && !o.SLO.SLI.Is(plumbline.SLIQuality) {
				all = append(all, e.objective(o)...)
			}
		}
		alerts.take(end, all)
		if end.Equal(end.Truncate(time.Hour)) {
			progress(end)
		}
	}
	return nil
}

// fill counts what the objectives ask for, day by day.
func (c *Counter) fill(ctx context.Context, past *past, objectives []plumbline.Objective) error {
	events, done := make(map[plumbline.SLIID]plumbline.SLO), make(map[plumbline.SLIID]bool)
	for _, o := range objectives {
		id := o.SLO.SLIID()
		if done[id] {
			continue // of several targets on one indicator
		}
		done[id] = true
		switch o.SLO.SLI.Name() {
		case plumbline.SLIQuality, plumbline.SLIComposite:
		case plumbline.SLILatency, plumbline.SLISuccess, plumbline.SLICost:
			events[id] = o.SLO
		default:
			if err := c.askPast(ctx, past, id, o.SLO); err != nil {
				return err
			}
		}
	}
	if len(events) == 0 {
		return nil
	}
	statement, parameters := eventsSQL(events), eventParameters(events)
	for at := past.start; at.Before(past.end); at = at.Add(longestStep) {
		rows, err := c.eventRows(ctx, statement, append(slices.Clone(parameters), clickhouse.Named("late", true),
			clickhouse.Named("from", at.Unix()), clickhouse.Named("to", minTime(at.Add(longestStep), past.end).Unix())))
		if err != nil {
			return err
		}
		for _, r := range rows {
			past.add(r)
		}
	}
	return nil
}

// askPast asks for the minutes of one indicator day by day. A statement of a user to
// which a day is too much, for the caps of who runs it, is asked as the service asks it.
func (c *Counter) askPast(ctx context.Context, past *past, id plumbline.SLIID, slo plumbline.SLO) error {
	step := longestStep
	for at := past.start; at.Before(past.end); {
		to := minTime(at.Add(step), past.end)
		rows, err := c.count(ctx, slo, at, to)
		switch {
		case err != nil && to.Sub(at) > stepOf(slo) && ctx.Err() == nil:
			step = stepOf(slo)
			continue
		case err != nil:
			return fmt.Errorf("SLO %q: %w", slo.Name, err)
		}
		for _, r := range rows {
			r.sli = id
			past.add(r)
		}
		at = to
	}
	return nil
}

// past is counts by minute that become known one after the other.
type past struct {
	start, end time.Time
	lengths    []time.Duration
	series     map[key]*minutes // by indicator alone: no slices
	// arrivals are by the minute in which they became known, counted from start.
	arrivals map[int][]row
	// now is the first minute that is not over.
	now int
}

// minutes are the counts of one deploy and their sums over the windows that end
// now.
type minutes struct {
	counts []burn.Count
	sums   []burn.Count // by length
	last   int          // index of the last minute with counts, -1 before
}

func newPast(start, end time.Time, lengths []time.Duration) *past {
	return &past{start: start, end: end, lengths: lengths, series: make(map[key]*minutes), arrivals: make(map[int][]row)}
}

func (p *past) index(minute int64) int { return int((minute - p.start.Unix()) / 60) }

func (p *past) add(r row) {
	i := p.index(r.minute + r.late)
	p.arrivals[i] = append(p.arrivals[i], r)
}

// advance makes the windows end at end: what left them goes, what became known in
// the minute before comes, whatever minute it is of.
func (p *past) advance(end time.Time) {
	now := p.index(end.Unix())
	p.now = now
	for _, m := range p.series {
		for l, length := range p.lengths {
			if gone := now - int(length/time.Minute) - 1; gone >= 0 && gone < len(m.counts) {
				m.sums[l] = minus(m.sums[l], m.counts[gone])
			}
		}
	}
	for _, r := range p.arrivals[now-1] {
		k := key{of: budgeting{sli: r.sli}, deploy: r.deploy}
		m := p.series[k]
		if m == nil {
			m = &minutes{counts: make([]burn.Count, p.index(p.end.Unix())+1), sums: make([]burn.Count, len(p.lengths)), last: -1}
			p.series[k] = m
		}
		c := burn.Count{Bad: float64(r.total) - float64(r.good), Total: float64(r.total), Rows: float64(r.rows)}
		i := p.index(r.minute)
		m.counts[i] = plus(m.counts[i], c)
		m.last = max(m.last, i)
		for l, length := range p.lengths {
			if i >= now-int(length/time.Minute) {
				m.sums[l] = plus(m.sums[l], c)
			}
		}
	}
	delete(p.arrivals, now-1)
}

func plus(a, b burn.Count) burn.Count {
	return burn.Count{Bad: a.Bad + b.Bad, Total: a.Total + b.Total, Rows: a.Rows + b.Rows}
}

func minus(a, b burn.Count) burn.Count {
	return burn.Count{Bad: a.Bad - b.Bad, Total: a.Total - b.Total, Rows: a.Rows - b.Rows}
}

// deploys returns who has counts, by how the objectives share them.
func (p *past) deploys(objectives []plumbline.Objective, slos map[plumbline.SLOName]plumbline.SLO) map[budgeting][]plumbline.DeployHash {
	found := make(map[budgeting][]plumbline.DeployHash)
	of := func(slo plumbline.SLO) {
		b := budgetingOf(slo)
		if _, done := found[b]; done {
			return
		}
		found[b] = nil
		for k := range p.series {
			if k.of.sli == b.sli {
				found[b] = append(found[b], k.deploy)
			}
		}
		slices.Sort(found[b])
	}
	for _, o := range objectives {
		of(o.SLO)
		for _, part := range o.SLO.Parts {
			of(slos[part.SLO])
		}
	}
	return found
}

// windows returns the windows of a key that end where advance was last.
func (p *past) windows(k key, series int) burn.Windows {
	m := p.series[key{of: budgeting{sli: k.of.sli}, deploy: k.deploy}]
	w := burn.Windows{End: k.of.end(p.start.Add(time.Duration(p.now) * time.Minute)), Series: series, LastAt: time.Unix(0, 0), Of: func(time.Duration) burn.Count { return burn.Count{} }}
	if m == nil {
		return w
	}
	if m.last >= 0 {
		w.LastAt, w.Last = p.start.Add(time.Duration(m.last)*time.Minute), m.counts[m.last]
	}
	if k.of.slice == 0 {
		w.Of = func(length time.Duration) burn.Count {
			if l := slices.Index(p.lengths, length); l >= 0 {
				return m.sums[l]
			}
			return burn.Count{}
		}
		return w
	}
	w.Of = func(length time.Duration) burn.Count { return p.sliced(m, k.of, length) }
	longest := p.lengths[len(p.lengths)-1]
	for at := w.End.Add(-k.of.slice); !at.Before(w.End.Add(-longest)); at = at.Add(-k.of.slice) {
		if c := p.slice(m, k.of, at); c.Total > 0 {
			w.Last, w.LastAt = c, at
			break
		}
	}
	return w
}

// sliced sums the whole slices of a window, as slices.sql does.
func (p *past) sliced(m *minutes, of budgeting, length time.Duration) burn.Count {
	var sum burn.Count
	end := of.end(p.start.Add(time.Duration(p.now) * time.Minute))
	for at := end.Add(-of.slice); !at.Before(end.Add(-length)); at = at.Add(-of.slice) {
		sum = plus(sum, p.slice(m, of, at))
	}
	return sum
}

// slice judges one slice; it is empty if nothing came in.
func (p *past) slice(m *minutes, of budgeting, at time.Time) burn.Count {
	var c burn.Count
	for i := p.index(at.Unix()); i < p.index(at.Add(of.slice).Unix()); i++ {
		if i >= 0 && i < len(m.counts) {
			c = plus(c, m.counts[i])
		}
	}
	switch {
	case !(c.Total > 0):
		return burn.Count{}
	case of.target == ratioTarget:
		// As slices.sql computes it, to the last bit: it is compared with a threshold.
		return burn.Count{Bad: 1 - (c.Total-c.Bad)/c.Total, Total: 1, Rows: 1}
	case c.Total-c.Bad < of.target*c.Total:
		return burn.Count{Bad: 1, Total: 1, Rows: 1}
	}
	return burn.Count{Total: 1, Rows: 1}
}

// alerts are what fires in a replay.
type alerts struct {
	report func(Change)
	since  map[alert]time.Time
	firing map[alert]burn.Counted
}

type alert struct {
	slo    plumbline.SLOName
	deploy plumbline.DeployHash
	pair   int
}

func newAlerts(report func(Change)) *alerts {
	return &alerts{report: report, since: make(map[alert]time.Time), firing: make(map[alert]burn.Counted)}
}

// take reports what changed at the end of a minute.
func (a *alerts) take(at time.Time, all []Evaluation) {
	now := make(map[alert]burn.Counted)
	for _, e := range all {
		for i, c := range e.Counted {
			if c.Breach() {
				now[alert{e.Objective.SLO.Name, e.Deploy, i}] = c
			}
		}
	}
	var changed []Change
	change := func(id alert, c burn.Counted, fires bool) {
		changed = append(changed, Change{At: at, SLO: id.slo, Deploy: id.deploy, Severity: c.Pair.Severity, Fires: fires, Counted: c})
	}
	for id, c := range now {
		if _, ok := a.since[id]; !ok {
			a.since[id] = at
		}
		if _, ok := a.firing[id]; !ok && at.Sub(a.since[id]) >= c.Pair.For {
			a.firing[id] = c
			change(id, c, true)
		}
	}
	for id := range a.since {
		if _, ok := now[id]; ok {
			continue
		}
		delete(a.since, id)
		if c, ok := a.firing[id]; ok {
			delete(a.firing, id)
			change(id, c, false)
		}
	}
	slices.SortFunc(changed, func(x, y Change) int {
		return strings.Compare(fmt.Sprint(x.SLO, x.Deploy, x.Counted.Pair.Long, x.Fires), fmt.Sprint(y.SLO, y.Deploy, y.Counted.Pair.Long, y.Fires))
	})
	for _, c := range changed {
		a.report(c)
	}
}
