// Command bench-slo measures one evaluation of 200 models with three SLOs each
// over 30 days of minutes, on the embedded engine in a folder of its own: counting
// what is new, summing every window, evaluating every pair, and reading what is left of
// every budget. It compares every count with brute force over the raw rows.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/burn/budget"
	"github.com/plumbline-slo/plumbline/analyze/burn/count"
	"github.com/plumbline-slo/plumbline/rules"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv/bench"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func main() {
	engine.RunChildIfRequested()
	models := flag.Int("models", 200, "models")
	days := flag.Int("days", 30, "days of minutes")
	ticks := flag.Int("ticks", 7, "evaluations to measure")
	flag.Parse()
	ctx := context.Background()
	if err := run(ctx, *models, *days, *ticks, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench-slo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, models, days, ticks int, lines, table io.Writer) (err error) {
	dir, err := os.MkdirTemp("", "bench-slo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	cfg := engine.DefaultConfig()
	cfg.DataDir = dir
	e := engine.New(cfg, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	defer func() { cancel(); err = errors.Join(err, <-ended) }()
	if err := e.WaitReady(ctx); err != nil {
		return err
	}
	of := storage.DefaultConfig()
	of.DSN = e.DSN()
	const decades = 20 * 365 * 24 * time.Hour
	of.Retention = storage.Retention{Raw: decades, Minutes: decades, Hours: decades}
	db, err := storage.New(of)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.Migrate(ctx); err != nil {
		return err
	}
	// An hour, in which windows begin that did not before, ends among the ticks.
	b := world{db: db, models: models, days: days, end: time.Date(2026, 5, 30, 23, 57, 0, 0, time.UTC), table: table, engine: e.ChildPID()}
	return b.measure(ctx, ticks, lines)
}

type world struct {
	db           *storage.DB
	models, days int
	end          time.Time
	table        io.Writer
	engine       int // its process
}

// objectives are latency, success and cost of each model, over 30 days.
func (b world) objectives() ([]plumbline.Objective, error) {
	var slos []plumbline.SLO
	for m := range b.models {
		for name, sli := range map[string]plumbline.SLI{
			"latency": {Kind: plumbline.SLILatency, Op: "lte", Value: 380},
			"success": {Kind: plumbline.SLISuccess},
			"cost":    {Kind: plumbline.SLICost, Feature: "cost", Op: "lt", Value: 0.95},
		} {
			slos = append(slos, plumbline.SLO{
				Name: plumbline.SLOName(fmt.Sprintf("%s-%03d", name, m)), Model: plumbline.Model(fmt.Sprintf("m%03d", m)),
				Target: 0.95, Period: 30 * 24 * time.Hour, SLI: sli,
			})
		}
	}
	return rules.Objectives(slos)
}

// store writes one event a model and minute of the days before until, and the
// batch's row.
func (b world) store(ctx context.Context, from, until time.Time) error {
	minutes := int(until.Sub(from) / time.Minute)
	if err := b.db.Conn().Exec(ctx, fmt.Sprintf(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, numbers, latency_ms, status, weight, half, known, _topic, _epoch, _partition, _offset)
SELECT concat('m', leftPad(toString(number %% %d), 3, '0')), 'd1', 'production', toString(number), toDateTime64(%d + intDiv(number, %d) * 60 + number %% 60, 3, 'UTC') AS t,
    map('cost', toFloat64(intHash32(number * 5) %% 100) / 100), toFloat64(intHash32(number * 13) %% 400), if(intHash32(number * 17) %% 50 = 0, 'timeout', 'ok'), 1, '', t, 't', 'e', 0, number
FROM numbers(%d) SETTINGS max_partitions_per_insert_block = 1000`, b.models, from.Unix(), b.models, b.models*minutes)); err != nil {
		return err
	}
	stamp := func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }
	return b.db.Conn().Exec(ctx, fmt.Sprintf(`INSERT INTO batches (topic, epoch, partition, first, last, table, rows, known_min, known_max, stored)
VALUES ('t', 'e', 0, %d, %d, 'predictions', %d, '%s', '%s', '%s')`, from.Unix(), until.Unix(), b.models*minutes, stamp(from), stamp(until), stamp(until)))
}

// storeDays stores all days, each as a batch.
func (b world) storeDays(ctx context.Context) error {
	began := time.Now()
	for day := range b.days {
		from := b.end.Add(-time.Duration(b.days-day) * 24 * time.Hour)
		if err := b.store(ctx, from, from.Add(24*time.Hour)); err != nil {
			return err
		}
	}
	fmt.Fprintf(b.table, "%d events stored in %s\n", b.models*b.days*24*60, time.Since(began).Round(time.Second))
	return nil
}

func (b world) measure(ctx context.Context, ticks int, lines io.Writer) error {
	objectives, err := b.objectives()
	if err != nil {
		return err
	}
	counter := count.New(count.Config{Back: 40 * 24 * time.Hour, Overlap: time.Second}, b.db, nil, nil)
	if err := b.storeDays(ctx); err != nil {
		return err
	}
	began := time.Now()
	if err := b.countAll(ctx, counter, objectives); err != nil {
		return err
	}
	counting := time.Since(began)
	fmt.Fprintf(b.table, "counted in %s\n", counting.Round(time.Second))
	book := count.NewBook(counter)
	began = time.Now()
	if _, err := book.At(ctx, objectives, b.end); err != nil {
		return err
	}
	first := time.Since(began)
	var took, news []float64
	var found []count.Evaluation
	now := b.end
	for range ticks {
		if err := b.store(ctx, now, now.Add(time.Minute)); err != nil {
			return err
		}
		now = now.Add(time.Minute)
		began := time.Now()
		if err := counter.Step(ctx, objectives, now); err != nil {
			return err
		}
		news = append(news, time.Since(began).Seconds())
		began = time.Now()
		if found, err = book.At(ctx, objectives, now); err != nil {
			return err
		}
		took = append(took, time.Since(began).Seconds())
	}
	budgets, err := b.budgets(ctx, objectives, now)
	if err != nil {
		return err
	}
	differ, compared, err := b.differ(ctx, found, now)
	if err != nil {
		return err
	}
	slices.Sort(took)
	slices.Sort(news)
	what := fmt.Sprintf("slo: one evaluation of %d models x 3 SLOs over %d days of minutes", b.models, b.days)
	return figure.Print(lines, b.table, append(budgets,
		figure.AtMost(what+", median", took[len(took)/2], "s", 1),
		figure.AtMost(what+", worst", took[len(took)-1], "s", 1),
		figure.AtMost("slo: the first evaluation of a process, which reads the table", first.Seconds(), "s", 10),
		figure.AtMost("slo: counting a minute of news of as many, median", news[len(news)/2], "s", 10),
		figure.AtMost("slo: counting 30 days anew", counting.Seconds(), "s", 3600),
		figure.AtLeast("slo: windows compared with brute force on raw rows", float64(compared), "windows", 1),
		figure.Exactly("slo: windows that differ from it", float64(differ), "windows", 0))...)
}

// budgets reads what is left of the budgets of all objectives, as the service does every
// two minutes, and compares what they spent with what raw rows say.
func (b world) budgets(ctx context.Context, objectives []plumbline.Objective, end time.Time) ([]figure.Figure, error) {
	var slos []plumbline.SLO
	for _, o := range objectives {
		slos = append(slos, o.SLO)
	}
	before, err := bench.CPU(b.engine)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	spent, err := budget.Reader{Conn: b.db.Conn()}.All(ctx, slos, end)
	if err != nil {
		return nil, err
	}
	took := time.Since(began)
	after, err := bench.CPU(b.engine)
	if err != nil {
		return nil, err
	}
	raw, err := b.raw(ctx, end.Add(-slos[0].Period), end)
	if err != nil {
		return nil, err
	}
	differ := 0
	for _, slo := range slos {
		if was, is := raw[string(slo.Name)], spent[slo.Name]; is.Total != uint64(was.Total) || math.Abs(is.Bad-was.Share()) > 1e-12 {
			differ++
		}
	}
	return []figure.Figure{
		figure.AtMost("slo: what is left of as many budgets, read every two minutes", took.Seconds(), "s", 10),
		figure.AtMost("slo: what that takes of ClickHouse", (after - before).Seconds(), "CPU-s", 10),
		figure.Exactly("slo: budgets that differ from raw rows", float64(differ), "budgets", 0),
	}, nil
}

// countAll counts until every indicator says how far it is counted.
func (b world) countAll(ctx context.Context, counter *count.Counter, objectives []plumbline.Objective) error {
	for {
		if err := counter.Step(ctx, objectives, b.end); err != nil {
			return err
		}
		if err := counter.CatchUp(ctx, objectives, b.end, time.Minute); err != nil {
			return err
		}
		var counted uint64
		if err := b.db.Conn().QueryRow(ctx, "SELECT uniqExactIf(sli, version > 0) FROM sli").Scan(&counted); err != nil {
			return err
		}
		if counted >= uint64(len(objectives)) {
			return nil
		}
	}
}

// differ counts every window from raw rows, all models at once.
func (b world) differ(ctx context.Context, found []count.Evaluation, end time.Time) (differ, compared int, err error) {
	brute := map[time.Duration]map[string]burn.Count{}
	for _, e := range found {
		for _, c := range e.Counted {
			for _, w := range []struct {
				length time.Duration
				got    burn.Count
			}{{c.Pair.Long, c.Long}, {c.Pair.Short, c.Short}} {
				if brute[w.length] == nil {
					if brute[w.length], err = b.raw(ctx, end.Add(-w.length), end); err != nil {
						return 0, 0, err
					}
				}
				compared++
				if brute[w.length][string(e.Objective.SLO.Name)] != w.got {
					differ++
				}
			}
		}
	}
	return differ, compared, nil
}

func (b world) raw(ctx context.Context, from, end time.Time) (map[string]burn.Count, error) {
	rows, err := b.db.Conn().Query(ctx, fmt.Sprintf(`SELECT model, toFloat64(countIf(NOT (latency_ms <= 380))), toFloat64(countIf(status != 'ok')), toFloat64(countIf(NOT (numbers['cost'] < 0.95))), toFloat64(count())
FROM predictions WHERE ts >= toDateTime64(%d, 3, 'UTC') AND ts < toDateTime64(%d, 3, 'UTC') GROUP BY model`, from.Unix(), end.Unix()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]burn.Count{}
	for rows.Next() {
		var model string
		var latency, status, cost, n float64
		if err := rows.Scan(&model, &latency, &status, &cost, &n); err != nil {
			return nil, err
		}
		for name, bad := range map[string]float64{"latency": latency, "success": status, "cost": cost} {
			all[name+"-"+model[1:]] = burn.Count{Bad: bad, Total: n, Rows: n}
		}
	}
	return all, rows.Err()
}
