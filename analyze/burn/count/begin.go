package count

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// backlog is what is not counted yet of an indicator that began: everything before a
// time. What comes in meanwhile is followed as of any other.
type backlog struct {
	// version is what its counts say meanwhile of how far it is counted: as far as it
	// was before, so that another process begins anew.
	version int64
	// to is the end of what is left, in unix seconds.
	to int64
	// newest is its last minute with events that was found, in unix seconds; 0 is none.
	newest int64
}

// patienceOfBacklogs bounds what backlogs take of a look: pages wait for the next one.
const patienceOfBacklogs = 10 * time.Second

// begin notes how far batches are complete: what was is the backlog of these
// indicators, what comes into sight from now on, and in the overlap before, is
// followed. Newest is how far others are counted, in unix milliseconds.
func (c *Counter) begin(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, newest int64, now time.Time) error {
	if len(slos) == 0 {
		return nil
	}
	var (
		high int64
		n    uint64
	)
	if err := c.db.Conn().QueryRow(ctx, highSQL).Scan(&high, &n); err != nil {
		return err
	}
	// Of indicators that lag the batches may be gone.
	high = max(newest, min(high, now.UnixMilli()))
	if high <= 0 {
		return nil
	}
	for id := range slos {
		b := &backlog{version: c.cursor[id], to: math.MaxUint32}
		if before := c.backlogs[id]; before != nil {
			b.version = before.version
		}
		c.backlogs[id], c.cursor[id] = b, high
		delete(c.followed.of, id)
	}
	return nil
}

// fillBacklogs counts backlogs for as long as its patience lasts: a day at a time, the
// newest first. Pages need the last hours alone and speak after the first day, longer
// windows when they are whole; were the oldest first, none would until all is counted.
// What is counted is remembered: the next look goes on from there.
func (c *Counter) fillBacklogs(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, now time.Time) error {
	within, cancel := context.WithTimeout(ctx, patienceOfBacklogs)
	defer cancel()
	for {
		next := c.nextBacklog(slos)
		if len(next) == 0 {
			c.stretch = longestStep
			return nil
		}
		err := c.fillBacklog(within, next, now)
		if err == nil {
			continue
		}
		if c.stretch > time.Hour {
			c.stretch /= 2 // a day may be too much for one statement
		}
		if within.Err() != nil && ctx.Err() == nil {
			return nil
		}
		return err
	}
}

// nextBacklog returns the indicators that have the newest of what is left.
func (c *Counter) nextBacklog(slos map[plumbline.SLIID]plumbline.SLO) map[plumbline.SLIID]plumbline.SLO {
	var (
		next map[plumbline.SLIID]plumbline.SLO
		to   int64
	)
	for id, slo := range slos {
		b := c.backlogs[id]
		if b == nil || b.to < to {
			continue
		}
		if b.to > to {
			next, to = make(map[plumbline.SLIID]plumbline.SLO), b.to
		}
		next[id] = slo
	}
	return next
}

// fillBacklog counts a stretch of the backlog of indicators, which all have the same
// left.
func (c *Counter) fillBacklog(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, now time.Time) error {
	var to int64
	for id := range slos {
		to = c.backlogs[id].to
	}
	oldest := c.oldest(now).Unix()
	from := max(oldest, time.Unix(min(to-1, now.Unix()), 0).Truncate(c.stretch).Unix())
	if from < to {
		counted, err := c.eventRows(ctx, eventsSQL(slos), append(eventParameters(slos), clickhouse.Named("late", false), clickhouse.Named("from", from), clickhouse.Named("to", to)))
		if err != nil {
			return err
		}
		if err := c.write(ctx, counted, 0); err != nil {
			return err
		}
		for _, r := range counted {
			b := c.backlogs[r.sli]
			b.newest = max(b.newest, r.minute)
		}
	}
	if from <= oldest {
		return c.endBacklog(ctx, slos)
	}
	for id := range slos {
		c.backlogs[id].to = from
	}
	return nil
}

// endBacklog counts the newest minutes once more: their counts say, for another
// process, that everything is.
func (c *Counter) endBacklog(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO) error {
	before := maps.Clone(c.backlogs)
	minutes := make(map[int64]bool)
	for id := range slos {
		if m := c.backlogs[id].newest; m > 0 {
			minutes[m] = true
		}
		delete(c.backlogs, id)
	}
	err := c.countMinutes(ctx, slos, slices.Sorted(maps.Keys(minutes)), c.newest(slos))
	if err != nil {
		c.backlogs = before
	}
	return err
}
