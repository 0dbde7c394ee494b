package chaosingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/ingest"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// turn is how long a scenario waits for the statement of one worker before it
// waits for that of another.
const turn = 20 * time.Second

// catch acts on a statement of the nth worker or, where that sends none, of one
// after it: the group may have given it no partition of the table's topic, and
// the embedded broker may keep those for a member that is gone.
func (w *world) catch(ctx context.Context, n int, t trap, act func(*worker) error) (victim *worker, err error) {
	for tries := range 5 * workers {
		victim = w.fleet.workers[(n+tries)%workers]
		if hit, err := victim.lure(ctx, t, func() error { return act(victim) }, turn); hit || err != nil {
			return victim, err
		}
		if (tries+1)%workers == 0 {
			if err := w.rejoin(ctx); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("no worker sent anything to %s", t.table)
}

// stopped holds a worker back, window 5, that has decided to send a statement
// and has not sent it, until the others have completed many batches; then it
// sends the statement. So for a statement of each table.
func stopped(ctx context.Context, a *arena) (figures []figure.Figure, err error) {
	w, err := a.newWorld(ctx, "stopped", 5)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := w.fleet.startAll(ctx, w.cfg); err != nil {
		return nil, err
	}
	w.feed.goOn(ctx)
	most := int64(0)
	tables := []string{"predictions", "series_hour", "series_minute", "categories_hour", "labels"}
	for n, table := range tables {
		victim, err := w.catch(ctx, n, trap{at: before, table: table, nth: 1 + w.random.IntN(5)}, (*worker).stop)
		if err != nil {
			return nil, err
		}
		batches := int64(50)
		if n == 0 {
			batches = int64(a.StoppedBatches)
		}
		began, before := time.Now(), w.fleet.batches()
		if err := errors.Join(w.batchesDone(ctx, batches), sleep(ctx, 2*session-time.Since(began))); err != nil {
			return nil, err
		}
		most = max(most, w.fleet.batches()-before)
		fmt.Fprintf(a.Text, "  %s stopped before its statement to %s for %.1f s and %d batches\n", victim.name, table, time.Since(began).Seconds(), w.fleet.batches()-before)
		if err := errors.Join(victim.goOn(), w.batchesDone(ctx, 20)); err != nil {
			return nil, err
		}
	}
	if err := w.drain(ctx); err != nil {
		return nil, err
	}
	late := 0
	for _, victim := range w.fleet.workers {
		late += victim.door.lates
	}
	counted, err := w.count(ctx, true)
	return append([]figure.Figure{
		figure.AtLeast("batches of the others while one was stopped", float64(most), "batches", float64(a.StoppedBatches)),
		figure.Exactly("statements that a stopped worker sent when it went on", float64(late), "statements", float64(len(tables))),
	}, counted...), err
}

// changed kills all workers amid a batch and starts them under another plan,
// again and again, the kill falling on each table before and after a statement.
// Every second plan refuses the longer half of the predictions.
func changed(ctx context.Context, a *arena) (figures []figure.Figure, err error) {
	w, err := a.newWorld(ctx, "changed", 10_000)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	if err := errors.Join(w.feed.chunk(ctx, 100), w.fleet.startAll(ctx, w.cfg)); err != nil {
		return nil, err
	}
	median := w.feed.median
	w.fleet.faults.on.Store(true)
	w.feed.goOn(ctx)
	rounds := 0
	for _, at := range []point{before, applied} {
		for _, table := range []string{"predictions", "series_hour", "series_minute", "categories_hour", "labels"} {
			if _, err := w.catch(ctx, rounds, trap{at: at, table: table, nth: 1 + w.random.IntN(5)}, (*worker).kill); err != nil {
				return nil, err
			}
			rounds++
			cfg := w.cfg
			cfg.Limits.MaxFeatures = 1000 + rounds
			if rounds%2 == 1 {
				cfg.Limits.MaxBytes = median
			}
			if err := errors.Join(w.fleet.killAll(), w.fleet.startAll(ctx, cfg), w.batchesDone(ctx, 40)); err != nil {
				return nil, err
			}
		}
	}
	if err := w.drain(ctx); err != nil {
		return nil, err
	}
	log, err := os.ReadFile(a.logOf(w.name))
	if err != nil {
		return nil, err
	}
	counted, err := w.count(ctx, false)
	return append([]figure.Figure{
		figure.AtLeast("batches begun under one plan and finished under another", float64(countLines(string(log), "is finished under plan")), "batches", float64(rounds)),
	}, counted...), err
}

// recreated deletes and creates the topics while workers run, and produces
// other records with the same offsets; some lives are longer than the one
// before, some shorter, and in each a worker is killed amid a batch.
func recreated(ctx context.Context, a *arena) (figures []figure.Figure, err error) {
	w, err := a.newWorld(ctx, "recreated", 10_000)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	w.feed.bad = 0 // the same offset dies in more than one life
	if err := w.fleet.startAll(ctx, w.cfg); err != nil {
		return nil, err
	}
	lives := []int{300, 1500, 200, 1000}
	ended := make(ends)
	for life, n := range lives {
		if life > 0 {
			if err := w.recreate(ctx, ended); err != nil {
				return nil, err
			}
		}
		if err := w.feed.chunk(ctx, n); err != nil {
			return nil, err
		}
		victim := w.fleet.workers[life%workers]
		if _, err := victim.ambush(ctx, trap{at: applied, nth: 1 + w.random.IntN(4)}, victim.kill, 5*time.Second); err != nil {
			return nil, err
		}
		if err := errors.Join(victim.start(ctx), w.drain(ctx)); err != nil {
			return nil, err
		}
		fmt.Fprintf(a.Text, "  life %d: %d events produced in all\n", life+1, w.feed.sent.Load())
	}
	counted, err := w.countWith(ctx, ended, true)
	if err != nil {
		return nil, err
	}
	var epochs uint64
	row := w.db.Conn().QueryRow(ctx, "SELECT min(n) FROM (SELECT uniqExact(_epoch) AS n FROM predictions GROUP BY _partition UNION ALL SELECT uniqExact(_epoch) FROM labels GROUP BY _partition)")
	if err := row.Scan(&epochs); err != nil {
		return nil, fmt.Errorf("count epochs: %w", err)
	}
	return append([]figure.Figure{figure.Exactly("lives of every partition stored as epochs of their own", float64(epochs), "epochs", float64(len(lives)))}, counted...), nil
}

// recreate deletes the topics, having added where they ended, and creates them
// again while the workers run.
func (w *world) recreate(ctx context.Context, ended ends) error {
	now, err := w.ends(ctx)
	if err != nil {
		return err
	}
	for at, n := range now {
		ended[at] += n
	}
	names := []string{w.cfg.Topics.Predictions, w.cfg.Topics.Labels}
	r, err := w.client.DeleteTopics(ctx, &kafka.DeleteTopicsRequest{Topics: names})
	if err == nil {
		err = errors.Join(r.Errors[names[0]], r.Errors[names[1]])
	}
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	for began := time.Now(); time.Since(began) < requestTimeout; {
		// A real Kafka deletes in its own time, and clients may create topics by
		// asking for them.
		if err := errors.Join(ingest.EnsureTopics(ctx, w.cfg), sleep(ctx, 200*time.Millisecond)); err != nil {
			return err
		}
		if now, err = w.ends(ctx); err == nil && now.total() == 0 {
			return w.feed.renew()
		}
	}
	return fmt.Errorf("recreate topics: they still hold %d records: %w", now.total(), err)
}
