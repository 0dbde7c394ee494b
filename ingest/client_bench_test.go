//go:build unix

package ingest

import (
	"cmp"
	"encoding/json"
	"math"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/fetch"
	"github.com/plumbline-slo/plumbline/storage"
)

// BenchmarkClient is ingest's own side of the path without ClickHouse, the
// group and its commits: a fetch over loopback, decoding, columns and the Arrow
// bytes of the INSERTs, with the rollups and without. `make bench-ingest` starts
// the broker, in another process, and runs it with -test.cpu=1. An operation is
// a record; the topic is read again from its start as often as it takes.
func BenchmarkClient(b *testing.B) {
	address, topic := os.Getenv("PLUMBLINE_BENCH_KAFKA"), os.Getenv("PLUMBLINE_BENCH_TOPIC")
	if address == "" {
		b.Skip("PLUMBLINE_BENCH_KAFKA names no broker with events: run make bench-ingest")
	}
	source := decode.Source{}
	if err := json.Unmarshal([]byte(cmp.Or(os.Getenv("PLUMBLINE_BENCH_SOURCE"), "{}")), &source); err != nil {
		b.Fatal(err)
	}
	source.Topic, source.SchemaFile = topic, os.Getenv("PLUMBLINE_BENCH_SCHEMA")
	if err := source.ReadFiles(); err != nil {
		b.Fatal(err)
	}
	source = source.WithDefaults()
	cfg := DefaultConfig()
	cfg.Brokers = []string{address}
	cfg.Topics.Predictions = topic
	cfg.Sources = []decode.Source{source}
	if err := cfg.Validate(); err != nil {
		b.Fatal(err)
	}
	at := sourceOf(topic)
	b.Run(string(source.Format)+"/raw", func(b *testing.B) {
		benchmarkClient(b, cfg, topic, func(r *rows, last int64) []arrow.Record {
			return []arrow.Record{r.predictions.raw(at).record}
		})
	})
	b.Run(string(source.Format)+"/rollups", func(b *testing.B) {
		benchmarkClient(b, cfg, topic, func(r *rows, last int64) []arrow.Record {
			var records []arrow.Record
			for _, t := range r.tables(at, last) {
				records = append(records, t.record)
			}
			return records
		})
	})
}

func sourceOf(topic string) source { return source{Topic: topic} }

// benchmarkClient fetches b.N records into batches and encodes what build makes
// of each.
func benchmarkClient(b *testing.B, cfg Config, topic string, build func(r *rows, last int64) []arrow.Record) {
	fetches, err := fetch.New(cfg.fetch())
	if err != nil {
		b.Fatal(err)
	}
	f := newFetcher(fetches, topic, 0)
	defer f.close()
	buffer, err := cfg.newRows(topic, nil)
	if err != nil {
		b.Fatal(err)
	}
	events, size := 0, 0
	batch := newBatch(sourceOf(topic), 0, buffer)
	flush := func() {
		for _, rec := range build(batch.rows, batch.last) {
			size += encodeRecord(b, rec)
		}
		events += batch.rows.Len()
		if len(batch.letters) > 0 {
			b.Fatal("dead letters")
		}
		buffer.Reset()
		batch = newBatch(sourceOf(topic), batch.last+1, buffer)
	}
	n, last := 0, math.MaxInt
	visit := func(rec *record) error {
		if n >= last {
			return errStop
		}
		if batch.full(cfg) {
			flush()
		}
		n++
		return batch.add(rec)
	}
	next := int64(0)
	read := func() {
		after, end, err := f.fetch(b.Context(), next, time.Second, visit)
		if err != nil {
			b.Fatal(err)
		}
		if next = after; next >= end {
			next = 0
		}
	}
	// A service that runs has buffers that have grown: until the first batch is
	// flushed they do.
	for events == 0 {
		read()
	}
	buffer.Reset()
	batch = newBatch(sourceOf(topic), next, buffer)
	n, last, events, size = 0, b.N, 0, 0
	b.ReportAllocs()
	b.ResetTimer()
	before := cpuTime(b)
	for n < b.N {
		read()
	}
	flush()
	spent := cpuTime(b) - before
	b.ReportMetric(float64(events)/spent.Seconds(), "events/cpu-s")
	b.ReportMetric(float64(size)/float64(events), "B/event")
}

// encodeRecord makes the Arrow stream that an INSERT sends and returns its size
// in bytes.
func encodeRecord(b *testing.B, rec arrow.Record) int {
	defer rec.Release()
	body, err := storage.NewBody(rec)
	if err != nil {
		b.Fatal(err)
	}
	if err := body.Close(); err != nil {
		b.Fatal(err)
	}
	return body.Len()
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
