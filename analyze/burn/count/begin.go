package count

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// backlog is what is not counted yet of an indicator: everything before a time, if it
// began, and minutes that were too many for a look. What comes in meanwhile is followed
// as of any other.
type backlog struct {
	// version is what its counts say meanwhile of how far it is counted: as far as it
	// was before, so that another process counts all of it again.
	version int64
	// partly says that of what is left nothing may be counted: a window that begins in
	// it holds a part. Minutes that are counted once more are not left in that sense.
	partly bool
	// left are the spans that are not counted yet, in order and apart.
	left []span
	// newest is the last minute with events that was counted meanwhile, in unix
	// seconds; 0 is none.
	newest int64
	// stretch is how much of it one statement counts, late what was last too much for one
	// in its time, 0 if nothing was, and rests until when none is asked after one that
	// failed or was slow: of indicators that are asked for by the minute, each of which has
	// a statement of its own.
	stretch, late time.Duration
	rests         time.Time
}

// begin notes how far batches are complete: what was is the backlog of these
// indicators, what comes into sight from now on, and in the overlap before, is
// followed. Newest is how far others are counted, in unix milliseconds.
func (c *Counter) begin(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, newest int64, now time.Time) error {
	if len(slos) == 0 {
		return nil
	}
	var high int64
	if err := c.db.Conn().QueryRow(ctx, highSQL).Scan(&high); err != nil {
		return err
	}
	// Of indicators that lag the batches may be gone.
	high = max(newest, min(high, now.UnixMilli()))
	if high <= 0 {
		return nil
	}
	for id := range slos {
		b := &backlog{version: c.cursor[id], partly: true, left: []span{{c.oldest(now).Unix(), math.MaxUint32}}}
		if before := c.backlogs[id]; before != nil {
			b.version = before.version
		}
		c.backlogs[id], c.cursor[id] = b, high
		delete(c.followed.of, id)
	}
	return nil
}

// putOff leaves minutes of indicators for later, in order: they are a backlog, or more
// of one.
func (c *Counter) putOff(slos map[plumbline.SLIID]plumbline.SLO, minutes []int64, now time.Time) {
	for id := range slos {
		b := backlog{version: c.cursor[id]}
		if before := c.backlogs[id]; before != nil {
			b = *before
		}
		b.partly = b.partly || now.Sub(c.reached[id]) > behind
		b.left = joined(append(spans(minutes), b.left...))
		c.backlogs[id] = &b
	}
}

// CatchUp counts backlogs of the objectives' indicators for so long, the newest of them
// first. Pages need the last hours alone and speak when those are counted, longer
// windows when they are whole; were the oldest first, none would until all is counted.
// What is counted is remembered: the next call goes on from there. It is not part of
// Step, since it may take long and what Step has counted is to be evaluated first.
// Where events have a backlog, the other indicators have half of the time.
func (c *Counter) CatchUp(ctx context.Context, objectives []plumbline.Objective, now time.Time, within time.Duration) error {
	events, timed, asked := indicators(objectives)
	maps.Copy(timed, asked)
	if c.nextByTime(timed) == "" {
		return c.catchUpEvents(ctx, events, now, within)
	}
	began := time.Now()
	err := c.catchUpEvents(ctx, events, now, within/2)
	return errors.Join(err, c.catchUpByTime(ctx, timed, now, max(within-time.Since(began), 0)))
}

// catchUpEvents counts the backlogs of indicators on events, those that are left to the
// same time by one statement.
func (c *Counter) catchUpEvents(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, now time.Time, within time.Duration) error {
	inTime, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	// The driver tells a server how long a statement may take only where more than a
	// second is left, and a server goes on when its client has left.
	inTime = clickhouse.Context(inTime, clickhouse.WithSettings(clickhouse.Settings{"max_execution_time": int(within.Seconds()) + 2}))
	began := time.Now()
	for first := true; ; first = false {
		next := c.nextBacklog(slos)
		if len(next) == 0 {
			c.stretch = longestStep
			return nil
		}
		started := time.Now()
		if err := c.fillBacklog(inTime, next, now); err != nil {
			return c.cutOff(ctx, inTime, first, err)
		}
		took := time.Since(started)
		if took < within/4 {
			c.stretch = min(2*c.stretch, longestStep)
		}
		if time.Since(began)+took > within {
			return nil // another statement would be cut off
		}
	}
}

// cutOff takes in that a stretch was not counted. If it was the first of a call it is
// too much for one statement, and half of it is tried next; what the clock cuts off
// later says nothing of it. Of that nobody hears, unless it could not be less.
func (c *Counter) cutOff(ctx, inTime context.Context, first bool, err error) error {
	late := inTime.Err() != nil && ctx.Err() == nil
	if !first && late {
		return nil
	}
	tried := c.stretch
	c.stretch = max((tried / 2).Truncate(time.Minute), time.Minute)
	if late && tried > c.stretch {
		return nil
	}
	return fmt.Errorf("count a backlog, %s of it at a time: %w", tried, err)
}

// nextBacklog returns the indicators that have the newest of what is left.
func (c *Counter) nextBacklog(slos map[plumbline.SLIID]plumbline.SLO) map[plumbline.SLIID]plumbline.SLO {
	var (
		next map[plumbline.SLIID]plumbline.SLO
		to   int64
	)
	for id, slo := range slos {
		b := c.backlogs[id]
		if b == nil || b.last().to < to {
			continue
		}
		if b.last().to > to {
			next, to = make(map[plumbline.SLIID]plumbline.SLO), b.last().to
		}
		next[id] = slo
	}
	return next
}

// last is the newest span that is left.
func (b *backlog) last() span { return b.left[len(b.left)-1] }

// cut takes away what is not before a time, and what is before the oldest minute.
func (b *backlog) cut(from, oldest int64) {
	var left []span
	for _, s := range b.left {
		if s.to = min(s.to, from); s.to > max(s.from, oldest) {
			left = append(left, s)
		}
	}
	b.left = left
}

// fillBacklog counts a stretch of the backlog of indicators, of which what is left ends
// at one time.
func (c *Counter) fillBacklog(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, now time.Time) error {
	var (
		to    int64
		parts []span
	)
	for id := range slos {
		to = c.backlogs[id].last().to
	}
	oldest := c.oldest(now).Unix()
	from := max(oldest, time.Unix(min(to-1, now.Unix()), 0).Truncate(c.stretch).Unix())
	for id := range slos {
		for _, s := range c.backlogs[id].left {
			if s.from = max(s.from, from); s.from < s.to {
				parts = append(parts, s)
			}
		}
	}
	counted, err := c.countSpans(ctx, slos, joined(parts))
	if err != nil {
		return err
	}
	if err := c.write(ctx, counted, 0); err != nil {
		return err
	}
	ended := make(map[plumbline.SLIID]plumbline.SLO)
	for id, slo := range slos {
		rest := *c.backlogs[id]
		if rest.cut(from, oldest); len(rest.left) == 0 {
			ended[id] = slo
			continue
		}
		c.backlogs[id] = &rest
	}
	return c.endBacklog(ctx, ended)
}

// endBacklog counts the newest minutes once more: their counts say, for another
// process, that everything is. Those that were ended when the clock cuts it off are.
func (c *Counter) endBacklog(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO) error {
	byNewest := make(map[int64]map[plumbline.SLIID]plumbline.SLO)
	for id, slo := range slos {
		newest := c.backlogs[id].newest
		if byNewest[newest] == nil {
			byNewest[newest] = make(map[plumbline.SLIID]plumbline.SLO)
		}
		byNewest[newest][id] = slo
	}
	for newest, of := range byNewest {
		var minutes []int64
		if newest > 0 {
			minutes = []int64{newest}
		}
		before := maps.Clone(c.backlogs)
		for id := range of {
			delete(c.backlogs, id)
		}
		if err := c.countMinutes(ctx, of, minutes, c.newest(of)); err != nil {
			c.backlogs = before
			return err
		}
	}
	return nil
}
