package labels

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
)

// processes is how many join at once.
const processes = 3

// replay is one run.
type replay struct {
	Options
	db      *storage.DB
	dsn     string
	random  *rand.Rand
	history []event
	workers []*worker
	kills   int
}

// run stores the history bit by bit while processes join it and die, and returns
// when everything is joined.
func (r *replay) run(ctx context.Context) (err error) {
	defer func() {
		for _, w := range r.workers {
			err = errors.Join(err, w.kill())
		}
	}()
	for range processes {
		w, err := startWorker(ctx, r.db, r.dsn)
		if err != nil {
			return err
		}
		r.workers = append(r.workers, w)
	}
	end := r.history[len(r.history)-1].known
	steps := int(end.Sub(begin)/r.Step) + 1
	rest := r.history
	for step := range steps {
		until := begin.Add(time.Duration(step+1) * r.Step)
		n, _ := slices.BinarySearchFunc(rest, until, func(e event, t time.Time) int { return e.known.Compare(t) })
		if err := r.store(ctx, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
		// Kills are spread over the steps, and fall anywhere in what a process
		// has under way.
		for r.kills < r.Kills*(step+1)/steps {
			if err := r.pause(ctx, time.Duration(r.random.IntN(700))*time.Millisecond); err != nil {
				return err
			}
			if err := r.replace(ctx, r.random.IntN(processes)); err != nil {
				return err
			}
		}
	}
	return r.caughtUp(ctx)
}

func (r *replay) pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// replace kills one process and starts another in its place.
func (r *replay) replace(ctx context.Context, i int) error {
	if err := r.workers[i].kill(); err != nil {
		return err
	}
	r.kills++
	w, err := startWorker(ctx, r.db, r.dsn)
	if err == nil {
		r.workers[i] = w
	}
	return err
}

// store stores events as ingest does: raw rows of each partition, and the rows of
// batches behind them.
func (r *replay) store(ctx context.Context, events []event) error {
	queues := map[string][]event{}
	var keys []string
	for _, e := range events {
		key := fmt.Sprint(e.topic(), "/", e.partition)
		if queues[key] == nil {
			keys = append(keys, key)
		}
		queues[key] = append(queues[key], e)
	}
	var batches []map[string]any
	for _, key := range keys {
		queue := queues[key]
		rows := make([]map[string]any, len(queue))
		for i, e := range queue {
			rows[i] = e.row()
		}
		if err := r.insert(ctx, queue[0].topic(), rows); err != nil {
			return err
		}
		first, last := queue[0], queue[len(queue)-1]
		byTime := func(a, b event) int { return a.ts.Compare(b.ts) }
		batches = append(batches, map[string]any{
			"topic": first.topic(), "epoch": "e", "partition": first.partition, "first": first.offset, "last": last.offset, "table": first.topic(),
			"rows": len(queue), "events": len(queue), "known_min": stamp(first.known), "known_max": stamp(last.known),
			"ts_min": stamp(slices.MinFunc(queue, byTime).ts), "ts_max": stamp(slices.MaxFunc(queue, byTime).ts),
		})
	}
	return r.insert(ctx, "batches", batches)
}

func stamp(t time.Time) string { return t.Format("2006-01-02 15:04:05.000") }

func (e event) row() map[string]any {
	row := map[string]any{
		"model": e.model, "prediction_id": e.id, "ts": stamp(e.ts), "known": stamp(e.known),
		"_topic": e.topic(), "_epoch": "e", "_partition": e.partition, "_offset": e.offset,
	}
	if e.label {
		deleted := 0
		if e.deleted {
			deleted = 1
		}
		row["label"], row["deleted"] = e.class, deleted
		return row
	}
	row["deploy_hash"], row["stage"], row["predicted"] = e.deploy, "production", e.class
	row["score"], row["propensity"], row["weight"] = e.score, e.propensity, 1
	return row
}

func (r *replay) insert(ctx context.Context, table string, rows []map[string]any) error {
	if len(rows) == 0 {
		return nil
	}
	var (
		body    bytes.Buffer
		columns []string
	)
	for name := range rows[0] {
		columns = append(columns, "`"+name+"`")
	}
	encoder := json.NewEncoder(&body)
	for _, row := range rows {
		if err := encoder.Encode(row); err != nil {
			return fmt.Errorf("write rows of %s: %w", table, err)
		}
	}
	if err := r.db.Conn().InsertFormat(ctx, "JSONEachRow", "INSERT INTO "+table+" ("+strings.Join(columns, ", ")+")", &body); err != nil {
		return fmt.Errorf("write rows of %s: %w", table, err)
	}
	return nil
}

// patience is how long the processes may join nothing before a replay gives up.
const patience = 10 * time.Minute

// caughtUp waits until every stored batch is behind a cursor, as long as cursors
// move: how quickly they do is the machine's matter.
func (r *replay) caughtUp(ctx context.Context) error {
	var before int64
	moved := time.Now()
	for {
		var (
			left uint64
			done int64
		)
		row := r.db.Conn().QueryRow(ctx, `SELECT countIf(c.n = 0 OR b.last > c.done), sum(c.done) FROM (
			SELECT topic, partition, max(last) AS last FROM batches GROUP BY topic, partition) AS b
			LEFT JOIN (SELECT topic, partition, max(done) AS done, count() AS n FROM join_cursor GROUP BY topic, partition) AS c USING (topic, partition)`)
		if err := row.Scan(&left, &done); err != nil {
			return fmt.Errorf("look for what is not joined: %w", err)
		}
		if left == 0 {
			return nil
		}
		if done != before {
			before, moved = done, time.Now()
		}
		if idle := time.Since(moved); idle > patience {
			return fmt.Errorf("%d topic partitions are not joined, and nothing of them was for %s", left, idle)
		}
		if err := r.pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
}
