package decode

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// BenchmarkDecodeMixed is BenchmarkDecode with numbers as measurements are: of
// both signs, of many lengths, some whole.
func BenchmarkDecodeMixed(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 5))
	events := make([][]byte, 2000)
	size := 0
	for i := range events {
		var text strings.Builder
		fmt.Fprintf(&text, `{"prediction_id":"%016x-%016x","model":"m","deploy_hash":"3f9c2d71","ts":%d,"features":{`, r.Uint64(), r.Uint64(), testKnown-int64(i))
		for f := range 20 {
			v := math.Round(float64(f+1)*100*r.NormFloat64()*1e3) / 1e3
			switch {
			case f >= 16:
				v = float64(r.IntN(100 * (f - 15)))
			case f >= 12:
				v = math.Round(r.Float64()*1e4) / 1e4
			case f >= 8:
				v = math.Round(math.Exp(float64(f-6)+r.NormFloat64())*100) / 100
			}
			fmt.Fprintf(&text, `"number_%02d":%v,`, f, v)
		}
		fmt.Fprintf(&text, `"a":"A%d","b":"B%d","c":"C%d"},"score":0.%06d,"latency_ms":12.345}`, r.IntN(300), r.IntN(300), r.IntN(15), r.IntN(1_000_000))
		events[i] = []byte(text.String())
		size += len(events[i])
	}
	p := NewJSONPredictions(DefaultLimits())
	b.SetBytes(int64(size / len(events)))
	n, begun := 0, cpuSeconds(b)
	for b.Loop() {
		if n%60_000 == 0 {
			p.Reset()
		}
		if err := p.Append(Record{Offset: int64(n), Known: testKnown, Value: events[n%len(events)]}); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/(cpuSeconds(b)-begun), "events/cpu-s")
}
