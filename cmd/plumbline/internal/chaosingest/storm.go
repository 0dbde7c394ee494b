package chaosingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// blow is one thing the storm does to a worker.
type blow struct {
	kill  bool
	pause time.Duration // of a stop
	// random blows fall after delay, the others on the nth INSERT from now.
	random bool
	delay  time.Duration
	at     point
	nth    int
	rest   time.Duration // before a killed worker is started again
}

// blows of the storm, as they were.
type blows struct {
	kills, stops, long, underWay int
}

func (w *world) draw() blow {
	r := w.random
	b := blow{kill: r.IntN(100) < 60, random: r.IntN(100) < 25, at: point(r.IntN(3)), nth: 1 + r.IntN(10)}
	b.delay = time.Duration(r.IntN(400)) * time.Millisecond
	b.rest = time.Duration(r.IntN(200)) * time.Millisecond
	b.pause = time.Duration(50+r.IntN(700)) * time.Millisecond
	if r.IntN(2) == 0 { // longer than the session
		b.pause += session + time.Second
	}
	return b
}

// firstBlows are what every storm must have, however the others fall out.
func firstBlows() []blow {
	return []blow{{kill: true, at: applied, nth: 3}, {pause: session + 2*time.Second, at: before, nth: 3}}
}

// storm kills and stops workers at random until it has done so often enough.
func storm(ctx context.Context, a *arena) (figures []figure.Figure, err error) {
	w, err := a.newWorld(ctx, "storm", a.DedupWindow)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	fmt.Fprintf(a.Text, "  %d kills and stops, deduplication window %d\n", a.Kills, a.DedupWindow)
	if err := w.fleet.startAll(ctx, w.cfg); err != nil {
		return nil, err
	}
	w.fleet.faults.on.Store(true)
	w.feed.goOn(ctx)
	if err := w.batchesDone(ctx, 10); err != nil {
		return nil, err
	}
	done, err := w.strike(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.drain(ctx); err != nil {
		return nil, err
	}
	counted, err := w.count(ctx, true)
	if err != nil {
		return nil, err
	}
	return append([]figure.Figure{
		figure.AtLeast("kills and stops", float64(done.kills+done.stops), "signals", float64(a.Kills)),
		figure.AtLeast("of these SIGKILL", float64(done.kills), "signals", 1),
		figure.AtLeast("of these SIGSTOP longer than the session", float64(done.long), "signals", 1),
		figure.AtLeast("of these on a statement under way", float64(done.underWay), "signals", float64(a.Kills/4)),
		figure.AtLeast("inserts refused", float64(w.fleet.faults.refused.Load()), "inserts", 1),
		figure.AtLeast("inserts falsely failed", float64(w.fleet.faults.falsely.Load()), "inserts", 1),
	}, counted...), nil
}

// strike deals the blows.
func (w *world) strike(ctx context.Context) (done blows, err error) {
	var pauses sync.WaitGroup
	defer pauses.Wait()
	began := time.Now()
	for n := range w.Kills {
		b := w.draw()
		if first := firstBlows(); n < len(first) {
			b = first[n]
		}
		victim := w.fleet.workers[w.random.IntN(workers)]
		for victim.isStopped() && !b.kill { // a stopped one can only be killed
			if err := sleep(ctx, 50*time.Millisecond); err != nil {
				return done, err
			}
			victim = w.fleet.workers[w.random.IntN(workers)]
		}
		hit, err := victim.suffer(ctx, b)
		if err != nil {
			return done, err
		}
		if hit {
			done.underWay++
		}
		if b.kill {
			done.kills++
			if err := errors.Join(sleep(ctx, b.rest), victim.start(ctx)); err != nil {
				return done, err
			}
		} else {
			done.stops++
			if b.pause > session {
				done.long++
			}
			pauses.Go(func() {
				_ = sleep(ctx, b.pause)
				_ = victim.goOn() // it may have been killed since; drain resumes all
			})
		}
		if (n+1)%20 == 0 {
			fmt.Fprintf(w.Text, "  %3d of %d blows after %3.0f s: %d batches, %d events produced\n", n+1, w.Kills, time.Since(began).Seconds(), w.fleet.batches(), w.feed.sent.Load())
		}
	}
	return done, nil
}

// patience is how long a blow waits for its statement.
const patience = 4 * time.Second

// suffer deals one blow and reports whether a statement was under way.
func (w *worker) suffer(ctx context.Context, b blow) (hit bool, err error) {
	act := w.stop
	if b.kill {
		act = w.kill
	}
	if b.random || w.isStopped() {
		if !w.isStopped() {
			if err := sleep(ctx, b.delay); err != nil {
				return false, err
			}
		}
		hit = w.door.underWay.Load() > 0
		return hit, act()
	}
	return w.ambush(ctx, trap{at: b.at, nth: b.nth}, act, patience)
}

// ambush acts on a statement, or without one when its patience is at an end.
func (w *worker) ambush(ctx context.Context, t trap, act func() error, patience time.Duration) (hit bool, err error) {
	if hit, err := w.lure(ctx, t, act, patience); hit || err != nil {
		return hit, err
	}
	return false, act()
}

// lure acts on a statement and reports whether one came before its patience was
// at an end.
func (w *worker) lure(ctx context.Context, t trap, act func() error, patience time.Duration) (hit bool, err error) {
	t.fired = make(chan struct{})
	t.act = func() { err = act() }
	w.door.arm(&t)
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-t.fired:
		return true, err
	case <-timer.C:
	case <-ctx.Done():
	}
	if !w.door.disarm(&t) {
		<-t.fired
		return true, err
	}
	return false, ctx.Err()
}

// batchesDone waits until the workers have completed n more batches.
func (w *world) batchesDone(ctx context.Context, n int64) error {
	last := w.fleet.batches()
	end, moved := last+n, time.Now()
	for since := moved; last < end; {
		if err := sleep(ctx, 20*time.Millisecond); err != nil {
			return err
		}
		if done := w.fleet.batches(); done != last {
			last, since = done, time.Now()
			moved = since
		}
		if time.Since(moved) > drainTimeout {
			return fmt.Errorf("wait for %d batches of the workers: no more for %s, %d are missing", n, drainTimeout, end-last)
		}
		if time.Since(since) > stuck {
			if err := w.rejoin(ctx); err != nil {
				return err
			}
			since = time.Now()
		}
	}
	return nil
}
