package count

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// leave puts off a span of an indicator that is asked for by the minute: it is a backlog,
// or more of one. It was not counted for longer than a step, so of windows that begin in
// it nothing is known.
func (c *Counter) leave(id plumbline.SLIID, slo plumbline.SLO, s span) {
	b := backlog{version: c.cursor[id], stretch: stepOf(slo)}
	if before := c.backlogs[id]; before != nil {
		b = *before
	}
	b.partly = true
	b.left = joined(append([]span{s}, b.left...))
	c.backlogs[id] = &b
}

// catchUpByTime counts the backlogs of indicators that are asked for by the minute, one
// statement each. The first may take as long as in a step: one that takes seconds however
// little it is asked for would be cut off for ever otherwise. One that took more than all
// of the time, or fails, rests: the others go on, looks are late by its time at most and
// rarely, and nobody hears of it after every look.
func (c *Counter) catchUpByTime(ctx context.Context, slos map[plumbline.SLIID]plumbline.SLO, now time.Time, within time.Duration) error {
	began := time.Now()
	var errs []error
	for limit, first := max(within, c.patience), true; ; limit, first = within-time.Since(began), false {
		id := c.nextByTime(slos)
		if id == "" || limit <= 0 {
			return errors.Join(errs...)
		}
		b, slo, started := c.backlogs[id], slos[id], time.Now()
		late, err := c.fillInTime(ctx, id, slo, now, limit)
		took := time.Since(started)
		switch {
		case late && !first:
			return errors.Join(errs...) // it was begun late, which says nothing of it
		case err != nil:
			tried := b.stretch
			if late {
				b.late = tried
			}
			b.stretch = max((tried / 2).Truncate(time.Minute), time.Minute)
			b.rests = time.Now().Add(rest * max(within, took, time.Second))
			if !late || tried == b.stretch {
				errs = append(errs, fmt.Errorf("count a backlog of the %s of model %q for SLO %q%s, %s of it at a time: %w", slo.SLI.Name(), slo.Model, slo.Name, declaredAt(slo), tried, err))
			}
		case c.backlogs[id] != nil:
			left := c.backlogs[id]
			if took < limit/4 || left.late == 0 || 2*left.stretch < left.late {
				left.stretch = min(2*left.stretch, stepOf(slo))
			}
			if took > within {
				left.rests = time.Now().Add(rest * took)
			}
		}
		if time.Since(began)+took > within {
			return errors.Join(errs...)
		}
	}
}

// fillInTime counts a stretch of the backlog of one indicator, for so long at most, and
// reports whether that was too short. The driver tells a server how long a statement may
// take only where more than a second is left, and a server goes on when its client has left.
func (c *Counter) fillInTime(ctx context.Context, id plumbline.SLIID, slo plumbline.SLO, now time.Time, limit time.Duration) (late bool, err error) {
	inTime, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	err = c.fillByTime(clickhouse.Context(inTime, clickhouse.WithSettings(clickhouse.Settings{"max_execution_time": int(limit.Seconds()) + 2})), id, slo, now)
	return err != nil && inTime.Err() != nil && ctx.Err() == nil, err
}

// nextByTime returns the indicator that has the newest of what is left and does not
// rest; empty if there is none.
func (c *Counter) nextByTime(slos map[plumbline.SLIID]plumbline.SLO) (next plumbline.SLIID) {
	var to int64
	for id := range slos {
		b := c.backlogs[id]
		if b == nil || time.Now().Before(b.rests) || time.Now().Before(c.rests[id]) {
			continue
		}
		if last := b.last().to; next == "" || last > to || last == to && id < next {
			next, to = id, last
		}
	}
	return next
}

// fillByTime counts a stretch of the backlog of one indicator, the newest. What ends it
// counts its newest minute with events once more, which says, for another process, that
// everything is.
func (c *Counter) fillByTime(ctx context.Context, id plumbline.SLIID, slo plumbline.SLO, now time.Time) error {
	b, oldest := c.backlogs[id], c.oldest(now).Unix()
	s := b.last()
	s.from = max(s.from, oldest, s.to-int64(b.stretch/time.Second))
	if s.from < s.to {
		if err := c.countByTime(ctx, id, slo, s, 0); err != nil {
			return err
		}
	}
	left := *b
	if left.cut(s.from, oldest); len(left.left) > 0 {
		c.backlogs[id] = &left
		return nil
	}
	delete(c.backlogs, id)
	if b.newest == 0 {
		return nil
	}
	if err := c.countByTime(ctx, id, slo, span{b.newest, b.newest + 60}, c.cursor[id]); err != nil {
		c.backlogs[id] = b
		return err
	}
	return nil
}

// leftAt returns how much event time of a backlog is not counted yet.
func (b *backlog) leftAt(oldest, now time.Time) time.Duration {
	var left int64
	for _, s := range b.left {
		left += max(min(s.to, now.Unix())-max(s.from, oldest.Unix()), 0)
	}
	return time.Duration(left) * time.Second
}

// Left returns how much event time is not counted yet of the indicator that has most of
// it left.
func (c *Counter) Left(now time.Time) (most time.Duration) {
	for _, b := range c.backlogs {
		most = max(most, b.leftAt(c.oldest(now), now))
	}
	return most
}

// Uncounted returns how much event time is not counted yet of each objective's indicator
// that has a backlog of which nothing may be counted: windows that begin in it are
// missing.
func (c *Counter) Uncounted(objectives []plumbline.Objective, now time.Time) map[plumbline.SLOName]time.Duration {
	left := make(map[plumbline.SLOName]time.Duration)
	for _, o := range objectives {
		if b := c.backlogs[o.SLO.SLIID()]; b != nil && b.partly {
			left[o.SLO.Name] = b.leftAt(c.oldest(now), now)
		}
	}
	return left
}
