package count

import (
	"cmp"
	"context"
	_ "embed" // the statements
	"errors"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/high.sql
var highSQL string

//go:embed sql/news.sql
var newsSQL string

//go:embed sql/touched.sql
var touchedSQL string

// followed is what a counter has seen of the batches of events: whatever of it is
// lost is counted again. The zero value has seen nothing.
type followed struct {
	// of are the indicators that all of it was counted for.
	of map[plumbline.SLIID]bool
	// seen are the batches that were counted and are younger than the overlap, by
	// identity, and when they were complete: those of whom a clock is behind come
	// into sight later than others. Those of a clock that is fast stay for longer.
	seen map[uint64]int64
	// minutes are to be counted once more, and so are those of batches that do not
	// say themselves which they are.
	minutes map[int64]*settling
	silent  map[uint64]*settling
}

// settling is what is counted once more, soon after it came into sight and again when
// that is as long ago as the overlap: on a cluster a batch may be seen where its
// predictions are not yet.
type settling struct {
	batch batch
	since time.Time // when it, or the last batch of the minute, came into sight
	soon  bool      // it was counted once more since
}

// onceMore is how soon minutes are counted once more.
const onceMore = 10 * time.Second

// batch is what the table batches says of a batch of predictions, all in unix
// milliseconds.
type batch struct {
	id, rows                                   uint64
	stored, knownFrom, knownTo, tsFrom, tsLast int64
}

// few is how many minutes a batch may span and have all of them counted without a
// look at which of them have events.
const few = 5

// minutes returns the first and the last minute in which the batch has events, in
// unix minutes; ok is false if it does not say or they are many.
func (b batch) minutes() (first, last int64, ok bool) {
	const minute, known = 60_000, 315_532_800_000 // the year 1980: an earlier time is none
	first, last = b.tsFrom/minute, b.tsLast/minute
	return first, last, b.tsFrom >= known && last-first < few
}

// events counts the minutes in which batches that were completed since have events.
// What is there of indicators of which nothing is counted yet, or not for long, is a
// backlog.
func (c *Counter) events(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, now time.Time) error {
	if len(slos) == 0 {
		return nil
	}
	known, fresh, since := c.apart(slos, now)
	var err error
	if len(known) > 0 {
		err = c.reach(known, now, c.follow(ctx, known, since, now))
	}
	err = errors.Join(err, c.reach(fresh, now, c.begin(ctx, fresh, c.newest(slos), now)))
	c.looked = c.looked || err == nil
	return err
}

// reach notes that indicators were counted up to now, unless there was an error, which
// it returns.
func (c *Counter) reach(slos map[plumbline.SLIID]plumbline.SLO, now time.Time, err error) error {
	if err == nil {
		for id := range slos {
			c.reached[id] = now
		}
	}
	return err
}

// An indicator that is counted less far than others by more than lag, or than now by
// more than away when the process starts, begins anew: the batches since may be many,
// and those of all models. An indicator whose model is retired lags, because counts
// alone say how far was counted, and to count it anew is cheap.
const (
	lag  = time.Hour
	away = 6 * time.Hour
)

// apart returns the indicators to be followed, the least of how far they are counted,
// and those that begin.
func (c *Counter) apart(slos map[plumbline.SLIID]plumbline.SLO, now time.Time) (known, fresh map[plumbline.SLIID]plumbline.SLO, since int64) {
	known, fresh, since = make(map[plumbline.SLIID]plumbline.SLO), make(map[plumbline.SLIID]plumbline.SLO), math.MaxInt64
	least := c.newest(slos) - lag.Milliseconds()
	if !c.looked {
		least = max(least, now.Add(-away).UnixMilli())
	}
	for id, slo := range slos {
		if at := c.cursor[id]; at == 0 || at < least {
			fresh[id] = slo
			continue
		}
		known[id], since = slo, min(since, c.cursor[id])
	}
	return known, fresh, since
}

// oldest is the minute before which nothing is counted any more.
func (c *Counter) oldest(now time.Time) time.Time {
	return now.Add(-c.cfg.Back).Truncate(time.Minute)
}

// follow counts the minutes of batches that came into sight since the last time, for
// all of the indicators at once, and those that are to be counted once more.
func (c *Counter) follow(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, since int64, now time.Time) error {
	c.followed.follow(slos)
	// A clock that is fast does not say for the others that they are done: batches of
	// it stay in sight, and are known as seen, until the clock here has passed them.
	complete, err := c.batches(ctx, max(min(since, now.UnixMilli())-c.cfg.Overlap.Milliseconds(), c.oldest(now).UnixMilli()))
	if err != nil {
		return err
	}
	high := c.newest(slos)
	var unseen []batch
	for _, b := range complete {
		high = max(high, min(b.stored, now.UnixMilli()))
		if _, ok := c.followed.seen[b.id]; !ok {
			unseen = append(unseen, b)
		}
	}
	again, silent := c.followed.due(now, c.cfg.Overlap)
	news := minutesOf(unseen, c.oldest(now))
	asked, err := c.ask(ctx, slos, append(silent, silentOf(unseen)...), c.oldest(now))
	if err != nil {
		return err
	}
	minutes := slices.Concat(again, news, asked)
	slices.Sort(minutes)
	if err := c.countNewest(ctx, slos, slices.Compact(minutes), high, now); err != nil {
		return err
	}
	c.followed.counted(unseen, news, now, c.cfg.Overlap)
	passed := min(high, now.UnixMilli()) - c.cfg.Overlap.Milliseconds()
	maps.DeleteFunc(c.followed.seen, func(_ uint64, stored int64) bool { return stored <= passed })
	return nil
}

// newest is how far the indicator is counted that is counted farthest: none may be
// written with less than it was before, or what is new would not replace what is old.
func (c *Counter) newest(slos map[plumbline.SLIID]plumbline.SLO) int64 {
	var newest int64
	for id := range slos {
		newest = max(newest, c.cursor[id])
	}
	return newest
}

// follow begins anew if there is an indicator that was not followed so far.
func (f *followed) follow(slos map[plumbline.SLIID]plumbline.SLO) {
	for id := range slos {
		if !f.of[id] {
			*f = followed{
				of: make(map[plumbline.SLIID]bool), seen: make(map[uint64]int64),
				minutes: make(map[int64]*settling), silent: make(map[uint64]*settling),
			}
			break
		}
	}
	for id := range slos {
		f.of[id] = true
	}
}

// due returns the minutes that are to be counted once more now, and the batches whose
// minutes are.
func (f *followed) due(now time.Time, overlap time.Duration) (minutes []int64, silent []batch) {
	for m, s := range f.minutes {
		if s.due(now, overlap) {
			minutes = append(minutes, m)
		}
	}
	for _, s := range f.silent {
		if s.due(now, overlap) {
			silent = append(silent, s.batch)
		}
	}
	return minutes, silent
}

func (s *settling) due(now time.Time, overlap time.Duration) bool {
	return now.Sub(s.since) >= overlap || !s.soon && now.Sub(s.since) >= onceMore
}

// settled notes that it was counted if it was due, and reports whether that was the
// last time.
func (s *settling) settled(now time.Time, overlap time.Duration) bool {
	s.soon = s.soon || s.due(now, overlap)
	return now.Sub(s.since) >= overlap
}

// counted notes that what was due was counted, and batches and the minutes that they
// say. Those of a silent batch are counted whenever it is asked.
func (f *followed) counted(batches []batch, minutes []int64, now time.Time, overlap time.Duration) {
	maps.DeleteFunc(f.minutes, func(_ int64, s *settling) bool { return s.settled(now, overlap) })
	maps.DeleteFunc(f.silent, func(_ uint64, s *settling) bool { return s.settled(now, overlap) })
	for _, b := range batches {
		f.seen[b.id] = b.stored
	}
	for _, b := range silentOf(batches) {
		f.silent[b.id] = &settling{batch: b, since: now}
	}
	for _, m := range minutes {
		f.minutes[m] = &settling{since: now}
	}
}

// mostMinutes is how many minutes are counted at once: those of the shortest windows
// that page. After a process was away for long, or where many events are late, there are
// more of them, and counting all would hold up every page, or never come to an end.
const mostMinutes = 120

// countNewest counts the newest of minutes, in order, and leaves the others for later.
func (c *Counter) countNewest(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, minutes []int64, high int64, now time.Time) error {
	before := maps.Clone(c.backlogs)
	if n := len(minutes) - mostMinutes; n > 0 {
		c.putOff(slos, minutes[:n], now)
		minutes = minutes[n:]
	}
	err := c.countMinutes(ctx, slos, minutes, high)
	if err != nil {
		c.backlogs = before
	}
	return err
}

// countMinutes counts minutes anew, as a whole. What it stores says to whoever reads
// how far was counted that everything is that was complete by high: so all of it is
// stored together, or that would be said when the first minutes alone are counted.
func (c *Counter) countMinutes(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, minutes []int64, high int64) error {
	counted, err := c.countSpans(ctx, slos, spans(minutes))
	if err != nil {
		return err
	}
	if err := c.write(ctx, counted, high); err != nil {
		return err
	}
	for id := range slos {
		c.cursor[id] = high
	}
	return nil
}

func (c *Counter) countSpans(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, all []span) (counted []row, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	statement, parameters := eventsSQL(slos), eventParameters(slos)
	for _, s := range all {
		of, err := c.eventRows(ctx, statement, append(slices.Clone(parameters), clickhouse.Named("late", false), clickhouse.Named("from", s.from), clickhouse.Named("to", s.to)))
		if err != nil {
			return nil, err
		}
		counted = append(counted, of...)
	}
	return counted, nil
}

// span is a range of time, of minutes in unix seconds, the end exclusive.
type span struct{ from, to int64 }

// spans joins minutes that are near each other, and cuts at days: counting a
// minute that nothing changed in costs little and changes nothing.
func spans(minutes []int64) []span {
	const near, long = 2 * 60, 24 * 60 * 60
	var all []span
	for _, m := range minutes {
		if n := len(all); n > 0 && m-all[n-1].to <= near && m+60-all[n-1].from <= long {
			all[n-1].to = m + 60
			continue
		}
		all = append(all, span{m, m + 60})
	}
	return all
}

// joined returns spans in order, those that overlap or touch as one.
func joined(all []span) []span {
	slices.SortFunc(all, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var apart []span
	for _, s := range all {
		if n := len(apart); n > 0 && s.from <= apart[n-1].to {
			apart[n-1].to = max(apart[n-1].to, s.to)
			continue
		}
		apart = append(apart, s)
	}
	return apart
}

// batches returns what was completed since, in unix milliseconds.
func (c *Counter) batches(ctx context.Context, since int64) (all []batch, err error) {
	rows, err := c.db.Conn().Query(ctx, newsSQL, clickhouse.Named("since", max(since, 0)))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var b batch
		if err := rows.Scan(&b.id, &b.rows, &b.stored, &b.knownFrom, &b.knownTo, &b.tsFrom, &b.tsLast); err != nil {
			return nil, err
		}
		all = append(all, b)
	}
	return all, rows.Err()
}

// minutesOf returns the minutes of event time of batches that say themselves which
// they are. Most do: they hold what was just now.
func minutesOf(batches []batch, oldest time.Time) []int64 {
	set := make(map[int64]bool)
	for _, b := range batches {
		first, last, ok := b.minutes()
		if !ok || b.rows == 0 {
			continue
		}
		for m := first; m <= last; m++ {
			if m*60 >= oldest.Unix() {
				set[m*60] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(set))
}

// silentOf returns the batches that do not say their minutes, and have any.
func silentOf(batches []batch) (silent []batch) {
	for _, b := range batches {
		if _, _, ok := b.minutes(); !ok && b.rows > 0 {
			silent = append(silent, b)
		}
	}
	return silent
}

// ask returns the minutes of event time of batches by their raw rows. Batches that
// became known at about one time are asked together, others apart: what lies between
// them is not theirs.
func (c *Counter) ask(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, batches []batch, oldest time.Time) ([]int64, error) {
	const near = 2 * 60_000 // a batch, and those that are asked once more
	var known []span
	for _, b := range batches {
		known = append(known, span{b.knownFrom, b.knownTo + near})
	}
	var minutes []int64
	for _, s := range joined(known) {
		of, err := c.touched(ctx, slos, s.from, s.to-near, oldest)
		if err != nil {
			return nil, err
		}
		minutes = append(minutes, of...)
	}
	return minutes, nil
}

func (c *Counter) touched(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, knownFrom, knownTo int64, oldest time.Time) (minutes []int64, err error) {
	rows, err := c.db.Conn().Query(ctx, touchedSQL, clickhouse.Named("models", modelsOf(slos)),
		clickhouse.Named("from", knownFrom), clickhouse.Named("to", knownTo), clickhouse.Named("oldest", oldest.UnixMilli()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var m uint32
		if err := rows.Scan(&m); err != nil {
			return nil, err
		}
		minutes = append(minutes, int64(m))
	}
	return minutes, rows.Err()
}
