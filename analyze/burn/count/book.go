package count

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sort"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// Book evaluates objectives as a Reader does, on counts that it keeps in memory: by
// hour and, where a window begins or something changes, by minute. It reads the table
// once, follows what its counter writes, and reads all of it anew every while, for what
// others write. It belongs to the goroutine of its counter.
type Book struct {
	Reader Reader
	// since is since when its counter has counted all of an indicator.
	since func(sli plumbline.SLIID, end time.Time) time.Time
	// partly says that its counter is counting a backlog of an indicator.
	partly func(plumbline.SLIID) bool

	partitions partitions
	// series are the counts by indicator and deploy.
	series map[plumbline.SLIID]map[plumbline.DeployHash]series
	known  map[plumbline.SLIID]*extent
	// read is when all of it was read.
	read time.Time
	now  func() time.Time
}

// reread is how often everything is read anew.
const reread = 10 * time.Minute

// NewBook returns a book that follows a counter. A counter has one.
func NewBook(counter *Counter) *Book {
	b := &Book{Reader: Reader{Conn: counter.db.Conn()}, since: counter.since, partly: counter.partly, now: time.Now}
	b.forget()
	counter.wrote = b.take
	return b
}

func (b *Book) forget() {
	b.series, b.known = make(map[plumbline.SLIID]map[plumbline.DeployHash]series), make(map[plumbline.SLIID]*extent)
}

// At evaluates the objectives as Reader.At does, but for windows of which its counter
// has counted a part: those are missing.
func (b *Book) At(ctx context.Context, objectives []plumbline.Objective, end time.Time) ([]Evaluation, error) {
	if now := b.now(); now.Sub(b.read) >= reread || now.Before(b.read) {
		b.forget()
		b.read = now
	}
	all, err := evaluateAt(ctx, objectives, end, counts{b.cells, func(sli plumbline.SLIID) time.Time { return b.since(sli, end) }, b.partitions.storedTo})
	return all, errors.Join(err, b.partitions.look(ctx, b.Reader.Conn, b.now(), end))
}

// hourOf is the length of an hour in seconds, by which unix times are cut.
const hourOf = 60 * 60

// extent is what a book holds of one indicator, in unix seconds.
type extent struct {
	// from is the hour it begins with, and open the one from which on every hour is
	// known by the minute.
	from, open int64
	// minutes are the hours before that are, too.
	minutes map[int64]bool
	// stale are those that changed and are not. Events that are late change an hour
	// again and again: from then on it is known by the minute. A backlog changes each
	// once, and has so many of them that they are read by the hour: true.
	stale map[int64]bool
}

func (e *extent) byMinute(hour int64) bool { return hour >= e.open || e.minutes[hour] }

// series are the hours of one deploy.
type series map[int64]*hour

// hour is what was counted in it. minutes is nil where they are not known.
type hour struct {
	tally
	last    tally // of the last minute that has any, lastAt
	lastAt  int64
	minutes *[60]tally
}

// tally is a count as it is stored.
type tally struct{ good, total, rows uint64 }

func (t *tally) add(o tally) { t.good, t.total, t.rows = t.good+o.good, t.total+o.total, t.rows+o.rows }

func (t tally) count() burn.Count {
	return burn.Count{Bad: float64(t.total) - float64(t.good), Total: float64(t.total), Rows: float64(t.rows)}
}

// take enters what the counter has written.
func (b *Book) take(written []row) {
	for _, r := range written {
		e := b.known[r.sli]
		at := r.minute - r.minute%hourOf
		switch {
		case e == nil || at < e.from: // it is not asked for, or will be read
		case e.byMinute(at):
			b.enter(r.sli, r.deploy, r.minute, tally{r.good, r.total, r.rows})
		default:
			e.stale[at] = e.stale[at] || b.partly(r.sli)
		}
	}
}

// enter puts down one minute of an hour that is known by the minute.
func (b *Book) enter(sli plumbline.SLIID, deploy plumbline.DeployHash, minute int64, t tally) {
	h := b.hour(sli, deploy, minute-minute%hourOf)
	if h.minutes == nil {
		*h = hour{minutes: new([60]tally)}
	}
	m := &h.minutes[minute%hourOf/60]
	h.good, h.total, h.rows = h.good-m.good+t.good, h.total-m.total+t.total, h.rows-m.rows+t.rows
	*m = t
}

func (b *Book) hour(sli plumbline.SLIID, deploy plumbline.DeployHash, at int64) *hour {
	if b.series[sli] == nil {
		b.series[sli] = make(map[plumbline.DeployHash]series)
	}
	s := b.series[sli][deploy]
	if s == nil {
		s = make(series)
		b.series[sli][deploy] = s
	}
	if s[at] == nil {
		s[at] = &hour{}
	}
	return s[at]
}

// cells sums the counts of indicators by bucket, as Reader.cells does. Those of slices
// are read.
func (b *Book) cells(ctx context.Context, group budgeting, slis []plumbline.SLIID, lengths []time.Duration, end time.Time, found map[key]map[time.Duration]cell) error {
	if group.slice > 0 {
		return b.Reader.cells(ctx, group, slis, lengths, end, found)
	}
	if err := b.fetch(ctx, slis, lengths, end); err != nil {
		return err
	}
	w := buckets{lengths: lengths, end: end.Unix()}
	for _, sli := range slis {
		for deploy, s := range b.series[sli] {
			if sums := w.of(s); len(sums) > 0 {
				found[key{of: budgeting{sli: sli, slice: group.slice, target: group.target}, deploy: deploy}] = sums
			}
		}
	}
	return nil
}

// buckets are windows that all end at one time, in unix seconds, shortest first.
type buckets struct {
	lengths []time.Duration
	end     int64
}

// at returns the index of the shortest window that holds a minute; ok is false if none
// does.
func (w buckets) at(minute int64) (i int, ok bool) {
	age := time.Duration(w.end-minute) * time.Second
	i = sort.Search(len(w.lengths), func(i int) bool { return age <= w.lengths[i] })
	return i, age > 0 && i < len(w.lengths)
}

// of sums the minutes of a series by the shortest window that holds them. An hour in
// which no window begins or ends is summed as a whole.
func (w buckets) of(s series) map[time.Duration]cell {
	type sum struct {
		all, last tally
		lastAt    int64
		any       bool
	}
	sums := make([]sum, len(w.lengths))
	add := func(i int, t, last tally, lastAt int64) {
		to := &sums[i]
		to.any = true
		if to.all.add(t); lastAt >= to.lastAt {
			to.last, to.lastAt = last, lastAt
		}
	}
	for at, h := range s {
		if h.minutes == nil {
			if i, ok := w.at(at); ok {
				add(i, h.tally, h.last, h.lastAt)
			}
			continue
		}
		for m, t := range h.minutes {
			minute := at + int64(m)*60
			if i, ok := w.at(minute); ok && t.rows > 0 {
				add(i, t, t, minute)
			}
		}
	}
	cells := make(map[time.Duration]cell)
	for i, s := range sums {
		if s.any {
			cells[w.lengths[i]] = cell{count: s.all.count(), last: s.last.count(), lastAt: time.Unix(s.lastAt, 0)}
		}
	}
	return cells
}

// cut are the hours in which windows begin.
func (w buckets) cut() []int64 {
	set := make(map[int64]bool)
	for _, l := range w.lengths {
		from := w.end - int64(l/time.Second)
		set[from-from%hourOf] = true
	}
	return slices.Sorted(maps.Keys(set))
}
