package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv/bench"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// cost is what one contender used in one round.
type cost struct {
	client, engine, merging time.Duration
	peak                    float64 // of the client, MiB
}

// costs are the rounds of one contender.
type costs []cost

// perEvent returns the median of a part of the cost, in microseconds an event.
func (c costs) perEvent(events int, part func(cost) time.Duration) float64 {
	all := make([]float64, len(c))
	for i, round := range c {
		all[i] = part(round).Seconds() * 1e6 / float64(events)
	}
	return median(all)
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	n := len(v)
	if n == 0 {
		return 0
	}
	return (v[(n-1)/2] + v[n/2]) / 2
}

func client(c cost) time.Duration { return c.client }
func server(c cost) time.Duration { return c.engine }
func whole(c cost) time.Duration  { return c.client + c.engine }
func merging(c cost) time.Duration {
	return c.merging
}

// contender is one way from Kafka into ClickHouse, or one part of it.
type contender struct {
	name string
	// once is set where a round takes so long that the first must do.
	once bool
	run  func(ctx context.Context, round int) (cost, error)
}

func run(ctx context.Context, o options) (figures []figure.Figure, err error) {
	w, err := newWorld(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := w.Close(); err == nil {
			err = e
		}
	}()
	contenders, err := w.contenders(ctx, o)
	if err != nil {
		return nil, err
	}
	results := map[string]costs{}
	clients := clientResults{}
	for round := range o.rounds {
		for _, c := range contenders {
			if !strings.Contains(c.name, o.only) || c.once && round > 0 {
				continue
			}
			cost, err := c.run(ctx, round)
			if err != nil {
				return nil, fmt.Errorf("round %d, %s: %w", round+1, c.name, err)
			}
			results[c.name] = append(results[c.name], cost)
			fmt.Fprintf(os.Stderr, "round %d  %-28s client %6.2f  engine %6.2f  merging %6.2f us/event  peak %4.0f MiB\n", round+1, c.name,
				costs{cost}.perEvent(w.events, client), costs{cost}.perEvent(w.events, server), costs{cost}.perEvent(w.events, merging), cost.peak)
		}
		if o.clientTest != "" {
			if err := clients.add(ctx, w, o); err != nil {
				return nil, err
			}
		}
	}
	if o.only != "" {
		return nil, nil
	}
	figures, err = clients.figures()
	return append(figures, w.judge(o, results)...), err
}

func (w *world) contenders(ctx context.Context, o options) ([]contender, error) {
	var all []contender
	for _, format := range o.formats {
		inserts, err := w.capture(ctx, format)
		if err != nil {
			return nil, fmt.Errorf("capture the inserts of %s: %w", format, err)
		}
		w.inFlight[format] = inFlight(inserts)
		all = append(all, w.role("ours", format, o.profile), w.insertsOnly("insert raw", format, inserts, insert.raw),
			w.insertsOnly("insert all", format, inserts, func(insert) bool { return true }))
		if format == "json" {
			all = append(all, w.role("naive", format, ""))
			for _, p := range peers() {
				if o.bento != "" {
					all = append(all, w.peer(o.bento, p))
				}
			}
		}
	}
	return all, nil
}

func (w *world) job(format, group, database string) job {
	return job{Brokers: w.address, Topic: topicOf(format), Format: format, Group: group, DSN: w.engine.DSN(), Database: database, Events: w.events, Schema: w.schema(format)}
}

// role runs a contender that is a role of this program.
func (w *world) role(role, format, profiles string) contender {
	return contender{name: role + " " + format, run: func(ctx context.Context, round int) (cost, error) {
		name := fmt.Sprintf("bench_%s_%s_%d", role, format, round)
		return w.measure(ctx, name, "predictions", func(*storage.DB) (cost, error) {
			j := w.job(format, name, name)
			if profiles != "" {
				j.Profile = filepath.Join(profiles, name+".pprof")
			}
			child, err := bench.Spawn(ctx, role, j, "GOMAXPROCS=1")
			if err != nil {
				return cost{}, err
			}
			c, err := awaitDone(child)
			if err != nil {
				return cost{}, err
			}
			return c, child.Close()
		})
	}}
}

// awaitDone waits until a child has stored everything and returns what it used
// since it was ready.
func awaitDone(child *bench.Child) (c cost, err error) {
	var used [2]time.Duration
	for i, want := range []string{"ready", "done"} {
		line, err := child.Line()
		if err != nil {
			return c, err
		}
		if line != want {
			return c, fmt.Errorf("the child said %q, not %q", line, want)
		}
		if used[i], err = bench.CPU(child.PID()); err != nil {
			return c, err
		}
	}
	c.client = used[1] - used[0]
	c.peak, err = bench.PeakMemory(child.PID())
	return c, err
}

// measure gives f an empty database, adds what the engine used, checks that
// every event is stored once, and measures what merging each table once costs.
func (w *world) measure(ctx context.Context, name, table string, f func(*storage.DB) (cost, error)) (cost, error) {
	db, drop, err := w.database(ctx, name)
	if err != nil {
		return cost{}, err
	}
	if table == flatTable {
		if err := db.Conn().Exec(ctx, createFlatTable()); err != nil {
			return cost{}, fmt.Errorf("create %s: %w", table, err)
		}
	}
	before, err := bench.CPU(w.engine.ChildPID())
	if err != nil {
		return cost{}, err
	}
	c, err := f(db)
	if err != nil {
		return cost{}, err
	}
	after, err := bench.CPU(w.engine.ChildPID())
	if err != nil {
		return cost{}, err
	}
	c.engine = after - before
	if err := w.check(ctx, db, table); err != nil {
		return cost{}, err
	}
	if c.merging, err = w.merge(ctx, db, table); err != nil {
		return cost{}, err
	}
	return c, drop()
}

func (w *world) check(ctx context.Context, db *storage.DB, table string) error {
	var rows, ids, features uint64
	count := "sum(length(numbers) + length(categories))"
	if table == flatTable {
		count = fmt.Sprintf("count() * %d", bench.Numbers+bench.Categories)
	}
	row := db.Conn().QueryRow(ctx, "SELECT count(), uniqExact(prediction_id), "+count+" FROM "+table)
	if err := row.Scan(&rows, &ids, &features); err != nil {
		return fmt.Errorf("count what is stored: %w", err)
	}
	if n := uint64(w.events); rows != n || ids != n || features != n*(bench.Numbers+bench.Categories) {
		return fmt.Errorf("%d events: %d rows with %d ids and %d features are stored", n, rows, ids, features)
	}
	return nil
}

// merge merges each table to one part a partition.
func (w *world) merge(ctx context.Context, db *storage.DB, raw string) (time.Duration, error) {
	before, err := bench.CPU(w.engine.ChildPID())
	if err != nil {
		return 0, err
	}
	if err := db.Conn().Exec(ctx, "SYSTEM START MERGES"); err != nil {
		return 0, fmt.Errorf("start merges: %w", err)
	}
	for _, table := range []string{raw, "series_minute", "series_hour", "categories_hour", "batches"} {
		if err := db.Conn().Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
			return 0, fmt.Errorf("merge %s: %w", table, err)
		}
	}
	after, err := bench.CPU(w.engine.ChildPID())
	return after - before, err
}

// insertsOnly sends the INSERTs that pass again and measures the engine alone.
func (w *world) insertsOnly(name, format string, inserts []insert, pass func(insert) bool) contender {
	return contender{name: name + " " + format, run: func(ctx context.Context, round int) (c cost, err error) {
		database := fmt.Sprintf("bench_%s_%s_%d", strings.ReplaceAll(name, " ", "_"), format, round)
		db, drop, err := w.database(ctx, database)
		if err != nil {
			return c, err
		}
		if c.engine, err = w.replay(ctx, inserts, database, pass); err != nil {
			return c, err
		}
		if err := w.check(ctx, db, "predictions"); err != nil {
			return c, err
		}
		return c, drop()
	}}
}

// over returns how many times as much of a part these used as the others: the
// median of the ratios within a round.
func (c costs) over(others costs, events int, part func(cost) time.Duration) float64 {
	var all []float64
	for i := range c {
		all = append(all, c[i:i+1].perEvent(events, part)/others[i:i+1].perEvent(events, part))
	}
	return median(all)
}
