package ingest

import (
	"fmt"
	"os"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/bench"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// maxRawRows is how many raw rows of one rate are stored: their size a row does
// not depend on how many there are, so more would only take time. Rollups are
// stored of every event.
const maxRawRows = 2_000_000

// maxRollupShare is the bar of the issue at 100 events a second and more, in
// percent of raw.
const maxRollupShare = 20

// BenchmarkStorage measures rows and bytes on disk of the raw rows and of the
// rollups of one model with 20 numbers and 3 categories, at rates from 1 to
// 10,000 events a second: real batches, folded and inserted as ingest does,
// merged to one part a partition, read from system.parts and scaled to 1e9
// events. `make bench-storage` runs it with -test.benchtime=1x.
func BenchmarkStorage(b *testing.B) {
	for _, c := range []struct {
		rate float64 // a second
		span time.Duration
	}{{1, 24 * time.Hour}, {100, 6 * time.Hour}, {10_000, time.Hour}} {
		b.Run(fmt.Sprintf("rate=%g", c.rate), func(b *testing.B) {
			for range b.N {
				measureStorage(b, c.rate, c.span)
			}
		})
	}
}

func measureStorage(b *testing.B, rate float64, span time.Duration) {
	env := testenv.Start(b, testenv.Setup{})
	cfg := DefaultConfig()
	topic := cfg.Topics.Predictions
	rows, err := cfg.newRows(topic, nil)
	if err != nil {
		b.Fatal(err)
	}
	events := bench.NewEvents(3, bench.Start(), rate)
	n, rawRows := int(rate*span.Seconds()), 0
	at := source{Cluster: "bench", Topic: topic, Epoch: "1"}
	current := newBatch(at, 0, rows)
	flush := func() {
		rawRows += storeBatch(b, env, current, rawRows < maxRawRows)
		rows.Reset()
		current = newBatch(at, current.last+1, rows)
	}
	var value []byte
	for i := range n {
		e := events.Next()
		value = e.AppendJSON(value[:0])
		rec := record{Known: e.TS}
		rec.Offset, rec.Key, rec.Value = int64(i), e.ID, value
		if err := current.add(&rec); err != nil {
			b.Fatal(err)
		}
		if current.full(cfg) {
			flush()
		}
	}
	if !current.empty() {
		flush()
	}
	reportStorage(b, env, rate, n, rawRows)
}

// storeBatch inserts what a batch makes and returns the raw rows inserted.
func storeBatch(b *testing.B, env *testenv.Env, current *batch, raw bool) (inserted int) {
	if len(current.letters) > 0 {
		b.Fatalf("%d dead letters", len(current.letters))
	}
	tables := current.rows.tables(current.at, current.last)
	defer release(tables)
	for _, t := range tables {
		if !t.marked && !raw {
			continue
		}
		for _, r := range t.runs {
			rec := t.record.NewSlice(int64(r.from), int64(r.to))
			token := current.at.token(current.first, current.last, t.table, r.key, "bench")
			err := env.DB.Insert(b.Context(), t.table, token, rec)
			rec.Release()
			if err != nil {
				b.Fatal(err)
			}
			if !t.marked {
				inserted += r.to - r.from
			}
		}
	}
	return inserted
}

func reportStorage(b *testing.B, env *testenv.Env, rate float64, events, rawRows int) {
	var rollups float64
	var figures []figure.Figure
	at := fmt.Sprintf(" per 1e9 events at %g/s", rate)
	add := func(table plumbline.TableName, of int) (bytes float64) {
		if err := env.DB.Conn().Exec(b.Context(), "OPTIMIZE TABLE "+string(table)+" FINAL"); err != nil {
			b.Fatal(err)
		}
		var rows, size uint64
		row := env.DB.Conn().QueryRow(b.Context(), "SELECT sum(rows), sum(bytes_on_disk) FROM system.parts WHERE active AND database = currentDatabase() AND table = '"+string(table)+"'")
		if err := row.Scan(&rows, &size); err != nil {
			b.Fatal(err)
		}
		scale := 1e9 / float64(of)
		figures = append(figures,
			figure.AtLeast("rows of "+string(table)+at, float64(rows)*scale, "rows", 0),
			figure.AtLeast("bytes of "+string(table)+at, float64(size)*scale/1e9, "GB", 0))
		return float64(size) * scale
	}
	if rows := storedRows(b, env); rows != rawRows {
		b.Fatalf("%d raw rows are stored, %d were inserted", rows, rawRows)
	}
	raw := add(plumbline.TablePredictions, rawRows)
	for _, table := range []plumbline.TableName{plumbline.TableSeriesMinute, plumbline.TableSeriesHour, plumbline.TableCategories} {
		rollups += add(table, events)
	}
	bar := 1e6 // none under 100 events a second
	if rate >= 100 {
		bar = maxRollupShare
	}
	figures = append(figures, figure.AtMost(fmt.Sprintf("rollups, share of raw at %g/s", rate), 100*rollups/raw, "%", bar))
	if err := figure.Print(os.Stdout, os.Stderr, figures...); err != nil {
		b.Fatal(err)
	}
}

func storedRows(b *testing.B, env *testenv.Env) int {
	var rows uint64
	if err := env.DB.Conn().QueryRow(b.Context(), "SELECT count() FROM predictions").Scan(&rows); err != nil {
		b.Fatal(err)
	}
	return int(rows)
}
