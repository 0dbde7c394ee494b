package ingest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// The profile of drift's benchmark: two samples of a million rows with 20
// numbers and 10 categories of 50 values each.
const (
	profileRows    = 2_000_000
	profileBatch   = 65_536
	profileBatches = 4 // different ones, in turn
)

// BenchmarkProfile measures the CPU time in which rows that are decoded already
// become Arrow records of rollups: all that drift needs of them later. It prints
// the figure that make bench-drift holds against its bar, for any -benchtime.
func BenchmarkProfile(b *testing.B) {
	batches := make([]*rows, profileBatches)
	for i := range batches {
		batches[i] = profileOf(b, uint64(i))
	}
	var best time.Duration
	for b.Loop() {
		before := cpuTime(b)
		for done := 0; done < profileRows; done += profileBatch {
			for _, t := range batches[done/profileBatch%profileBatches].predictions.rollups(source{Topic: "t"}, profileBatch) {
				t.record.Release()
			}
		}
		if took := cpuTime(b) - before; best == 0 || took < best {
			best = took
		}
	}
	f := figure.AtMost("rollups of 2 x 1 M rows x 30 features (20 numbers, 10 categories of 50), CPU time", best.Seconds(), "CPU-s", 6)
	if err := figure.Print(os.Stdout, os.Stderr, f); err != nil {
		b.Fatal(err)
	}
}

// profileOf is a batch of eleven minutes of events.
func profileOf(b *testing.B, seed uint64) *rows {
	b.Helper()
	p := decode.NewJSONPredictions(decode.DefaultLimits())
	random := rand.New(rand.NewPCG(seed, 1))
	for i := range profileBatch {
		var f strings.Builder
		for k := range 20 {
			fmt.Fprintf(&f, `"n%02d":%.6g,`, k, float64(k)+random.NormFloat64())
		}
		for k := range 10 {
			fmt.Fprintf(&f, `"c%02d":"value %d",`, k, random.IntN(50))
		}
		event := fmt.Appendf(nil, `{"prediction_id":"%d","model":"m","deploy_hash":"d","ts":%d,"features":{%s},"predicted":"late"}`,
			i, foldKnown+int64(i)*10, strings.TrimSuffix(f.String(), ","))
		if err := p.Append(decode.Record{Offset: int64(i), Known: foldKnown, Value: event}); err != nil {
			b.Fatal(err)
		}
	}
	return &rows{predictions: &predictionRows{p.Predictions, decode.NewPredictions(decode.DefaultLimits()), newFold(nil, nil), nil}}
}
