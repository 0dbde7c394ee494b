package engine_test

import (
	"bytes"
	"testing"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/storage/engine"
)

// benchEngine runs an engine for a benchmark and connects to it.
func benchEngine(b *testing.B) clickhouse.Conn {
	b.Helper()
	cfg := engine.DefaultConfig()
	cfg.DataDir = b.TempDir()
	needLibrary(b, cfg)
	return open(b, run(b, cfg).DSN(), nil)
}

func BenchmarkSelectOne(b *testing.B) {
	c := benchEngine(b)
	for b.Loop() {
		var one uint8
		if err := c.QueryRow(b.Context(), "SELECT 1").Scan(&one); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkArrowInsert inserts 50,000 rows, each under its own token, as
// ingest does.
func BenchmarkArrowInsert(b *testing.B) {
	const rows = 50_000
	c := benchEngine(b)
	exec(b, c, wideTable)
	stream := arrowStream(b, wideRows(b, 0, rows))
	i := 0
	for b.Loop() {
		i++
		ctx := clickhouse.Context(b.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": i}))
		if err := c.InsertFormat(ctx, "ArrowStream", "INSERT INTO wide", bytes.NewReader(stream)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows*i)/b.Elapsed().Seconds(), "rows/s")
	b.SetBytes(int64(len(stream)))
}
