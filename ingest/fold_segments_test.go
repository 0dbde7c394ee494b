package ingest

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/array"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/segment"
)

// tallied adds the counts of rollup rows to sums, by everything that names a row.
func tallied(t *testing.T, f *fold, sums map[string]uint64) {
	t.Helper()
	for _, rollup := range f.rollups(source{Topic: "t"}, 99) {
		rec := rollup.record
		for row := range int(rec.NumRows()) {
			if nameAt(rec, "model", row) == "" {
				continue
			}
			key := fmt.Sprint(rollup.table, " ", rowKey(rec, row))
			if rollup.table == plumbline.TableCategories {
				key += fmt.Sprint(" ", column[*array.Uint8](rec, "kind").Value(row), " ", column[*array.String](rec, "value").Value(row))
			}
			sums[key] += column[*array.Uint64](rec, "count").Value(row)
		}
		rec.Release()
	}
}

// In which segments an event is counted depends on the event and on what is
// declared, never on its batch: however rows come in batches, in whatever order,
// and through however many processes, the sums are the same.
func TestSegmentsDoNotDependOnTheBatch(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	all := randomBatch(t, r, 1_200, 4)
	whole := newFold(nil, naiveSegments())
	whole.run(all)
	want := map[string]uint64{}
	tallied(t, whole, want)
	sliced := 0
	for key := range want {
		if strings.Contains(key, "=") {
			sliced++
		}
	}
	if sliced < 1000 {
		t.Fatalf("only %d rows of segments: the test says little", sliced)
	}
	for range 3 {
		folds := []*fold{newFold(nil, naiveSegments()), newFold(nil, naiveSegments())}
		got := map[string]uint64{}
		order := r.Perm(all.Len())
		for len(order) > 0 {
			n := min(len(order), 1+r.IntN(400))
			part := decode.NewPredictions(decode.DefaultLimits())
			for _, row := range order[:n] {
				part.Pick(all, row)
			}
			order = order[n:]
			f := folds[r.IntN(2)]
			f.run(part)
			tallied(t, f, got)
		}
		for key, n := range want {
			if got[key] != n {
				t.Fatalf("%s: %d in parts, %d as a whole", key, got[key], n)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d rows in parts, %d as a whole", len(got), len(want))
		}
	}
}

// A fold that has seen a batch counts the next of its kind without allocating,
// with segments and without.
func TestFoldAllocatesNothingByEvent(t *testing.T) {
	in := randomBatch(t, rand.New(rand.NewPCG(6, 6)), 1_000, 4)
	for name, declared := range map[string]segment.Declared{"none": nil, "segments": naiveSegments()} {
		f := newFold(nil, declared)
		f.run(in)
		var n float64
		for range 5 { // what else the process does allocates too
			if n = testing.AllocsPerRun(5, func() { f.run(in) }); n == 0 {
				break
			}
		}
		if n > 0 {
			t.Errorf("%s: %v allocations a batch of 1,000 events", name, n)
		}
	}
}

// BenchmarkFold folds a batch of events with 20 numbers, without and with two
// segments and their joint one.
func BenchmarkFold(b *testing.B) {
	const n = 65_536
	p := decode.NewJSONPredictions(decode.DefaultLimits())
	for i := range n {
		var f strings.Builder
		for k := range 20 {
			fmt.Fprintf(&f, `"feature_%02d":%.4f,`, k, float64(i*(k+3)%10_000)/7)
		}
		event := fmt.Appendf(nil, `{"prediction_id":"%036d","model":"m","deploy_hash":"d","ts":%d,"features":{%s"origin":"A%02d"},"score":0.%04d,"segments":{"region":"r%d","device":"d%d"}}`,
			i, foldKnown+int64(i)*10, f.String(), i%50, i%10_000, i%5, i*7919%3)
		if err := p.Append(decode.Record{Offset: int64(i), Known: foldKnown, Value: event}); err != nil {
			b.Fatal(err)
		}
	}
	region, device := segment.Segment{Name: "region", Values: []string{"r0", "r1", "r2"}}, segment.Segment{Name: "device", Values: []string{"d0", "d1"}}
	for _, c := range []struct {
		name     string
		declared segment.Declared
	}{
		{"whole", nil},
		{"other model", segment.Declared{"n": {Segments: []segment.Segment{region}}}},
		{"one", segment.Declared{"m": {Segments: []segment.Segment{region}}}},
		{"two and joint", segment.Declared{"m": {Segments: []segment.Segment{region, device, {Joint: []string{"region", "device"}}}}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := newFold(nil, c.declared)
			b.ReportAllocs()
			for b.Loop() {
				f.run(p.Predictions)
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
