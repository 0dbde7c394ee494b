package ingest

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/cespare/xxhash/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

const foldKnown = 1_790_000_000_000

// sample is one random event in its readable form.
type sample struct {
	model, deploy string
	ts            int64
	score         *float64
	numbers       map[string]float64
	categories    map[string]string
	nulls         []string
}

func samples(n int) []sample {
	r := rand.New(rand.NewPCG(1, 4))
	pick := func() float64 {
		switch r.IntN(10) {
		case 0:
			return []float64{0, math.Copysign(0, -1), 1e18, -1e18, math.Nextafter(1e18, 2e18), 1e300, 5e-324, 0.5e-9, 1.5e-9, 1, -1}[r.IntN(11)]
		case 1:
			return float64(r.IntN(10))
		}
		return r.NormFloat64() * math.Pow(10, float64(r.IntN(12)))
	}
	out := make([]sample, n)
	for i := range out {
		s := sample{model: []string{"odds", "number"}[r.IntN(2)], deploy: fmt.Sprint(r.IntN(2)),
			ts: foldKnown - r.Int64N(60*86_400_000), numbers: map[string]float64{}, categories: map[string]string{}}
		if i%2 == 0 {
			s.ts = foldKnown - r.Int64N(7_200_000)
		}
		if r.IntN(3) > 0 {
			v := r.Float64()*1.2 - 0.1
			s.score = &v
		}
		for f := range 4 {
			switch name := fmt.Sprint("f", f); r.IntN(4) {
			case 0, 1:
				s.numbers[name] = pick()
			case 2:
				s.categories[name] = strings.Repeat("é", r.IntN(4)*43) + fmt.Sprint(r.IntN(5))
			case 3:
				s.nulls = append(s.nulls, name)
			}
		}
		out[i] = s
	}
	return out
}

func (s sample) json(i int) []byte {
	var fields []string
	for _, k := range slices.Sorted(maps.Keys(s.numbers)) {
		fields = append(fields, fmt.Sprintf("%q:%.17g", k, s.numbers[k]))
	}
	for _, k := range slices.Sorted(maps.Keys(s.categories)) {
		fields = append(fields, fmt.Sprintf("%q:%q", k, s.categories[k]))
	}
	for _, k := range s.nulls {
		fields = append(fields, fmt.Sprintf("%q:null", k))
	}
	score := ""
	if s.score != nil {
		score = fmt.Sprintf(`"score":%.17g,`, *s.score)
	}
	return fmt.Appendf(nil, `{"prediction_id":"p%d","model":%q,"deploy_hash":%q,"ts":%d,%s"features":{%s}}`, i, s.model, s.deploy, s.ts, score, strings.Join(fields, ","))
}

// expected is one brute-force cell: plain maps, big integers.
type expected struct {
	count, infs uint64
	sum         *big.Int
	min, max    float64
	hist        map[int32]uint64
}

type cells map[string]*expected

func (c cells) add(key string, v float64, bucket int32, placed bool) {
	e := c[key]
	if e == nil {
		e = &expected{sum: new(big.Int), min: math.Inf(1), max: math.Inf(-1), hist: map[int32]uint64{}}
		c[key] = e
	}
	if !placed {
		e.infs++
		return
	}
	e.count++
	product := v * 1e9
	nano, _ := big.NewFloat(math.RoundToEven(product)).Int(nil)
	e.sum.Add(e.sum, nano)
	e.min, e.max = math.Min(e.min, v+0), math.Max(e.max, v+0)
	e.hist[bucket]++
}

// bruteForce counts samples into cells of hour or minute, one map lookup a
// value.
func bruteForce(samples []sample, unit int64) cells {
	c := cells{}
	for _, s := range samples {
		at := s.ts / 1000 / unit * unit
		key := func(series string, g grid.Version) string {
			return fmt.Sprint(s.model, " ", s.deploy, " ", series, " ", g, " ", at)
		}
		requests := key("requests", grid.None)
		c.add(requests, 0, 0, true)
		c[requests].min, c[requests].max = math.Inf(1), math.Inf(-1)
		clear(c[requests].hist)
		for name, v := range s.numbers {
			c.add(key("feature:"+name, grid.Full), v, grid.Bucket(v), math.Abs(v) <= 1e18)
		}
		if s.score != nil {
			v, bucket, g, placed := *s.score, grid.Bucket(*s.score), grid.Full, true
			if s.model == "odds" {
				g, placed = grid.FullOdds, v >= 0 && v <= 1
				bucket = grid.OddsBucket(v)
			}
			c.add(key("score", g), v, bucket, placed)
		}
	}
	return c
}

func folded(t *testing.T, samples []sample) *fold {
	t.Helper()
	p := decode.NewJSONPredictions(decode.DefaultLimits())
	for i, s := range samples {
		if err := p.Append(decode.Record{Offset: int64(i), Known: foldKnown, Value: s.json(i)}); err != nil {
			t.Fatal(err)
		}
	}
	f := newFold(map[plumbline.Model]ScoreKind{"number": ScoreNumber}, nil)
	f.run(p.Predictions)
	f.run(p.Predictions) // a second run must not see the first
	return f
}

func column[T arrow.Array](rec arrow.Record, name string) T {
	return rec.Column(rec.Schema().FieldIndices(name)[0]).(T)
}

func nameAt(rec arrow.Record, name string, i int) string {
	d := column[*array.Dictionary](rec, name)
	return d.Dictionary().(*array.String).Value(d.GetValueIndex(i))
}

func TestFoldEqualsBruteForce(t *testing.T) {
	all := samples(3000)
	f := folded(t, all)
	rollup := f.hourRollup(source{Topic: "t"}, 99)
	defer rollup.record.Release()
	want := bruteForce(all, 3600)
	rec := rollup.record
	for i := range int(rec.NumRows()) {
		model := nameAt(rec, "model", i)
		if model == "" {
			continue
		}
		at := int64(column[*array.Timestamp](rec, "time").Value(i))
		key := fmt.Sprint(model, " ", nameAt(rec, "deploy_hash", i), " ", nameAt(rec, "series", i), " ", nameAt(rec, "grid", i), " ", at)
		e := want[key]
		if e == nil {
			t.Fatalf("row %s is not expected", key)
		}
		compareCell(t, key, rec, i, e)
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("%d cells are missing", len(want))
	}
}

func compareCell(t *testing.T, key string, rec arrow.Record, i int, e *expected) {
	t.Helper()
	raw := column[*array.FixedSizeBinary](rec, "sum_nano").Value(i)
	sum := new(big.Int).SetInt64(int64(binary.LittleEndian.Uint64(raw[8:])))
	sum.Lsh(sum, 64).Add(sum, new(big.Int).SetUint64(binary.LittleEndian.Uint64(raw)))
	hist := column[*array.Struct](rec, "hist")
	buckets, counts := hist.Field(0).(*array.List), hist.Field(1).(*array.List)
	from, to := buckets.ValueOffsets(i)
	got := map[int32]uint64{}
	for k := from; k < to; k++ {
		bucket := buckets.ListValues().(*array.Int32).Value(int(k))
		if k > from && bucket <= buckets.ListValues().(*array.Int32).Value(int(k-1)) {
			t.Errorf("%s: buckets are not sorted", key)
		}
		got[bucket] = counts.ListValues().(*array.Uint64).Value(int(k))
	}
	if n := column[*array.Uint64](rec, "count").Value(i); n != e.count {
		t.Errorf("%s: count %d, want %d", key, n, e.count)
	}
	if n := column[*array.Uint64](rec, "infs").Value(i); n != e.infs {
		t.Errorf("%s: infs %d, want %d", key, n, e.infs)
	}
	if sum.Cmp(e.sum) != 0 {
		t.Errorf("%s: sum %s, want %s", key, sum, e.sum)
	}
	if least, most := column[*array.Float64](rec, "min").Value(i), column[*array.Float64](rec, "max").Value(i); least != e.min || most != e.max {
		t.Errorf("%s: extremes %v %v, want %v %v", key, least, most, e.min, e.max)
	}
	if !maps.Equal(got, e.hist) {
		t.Errorf("%s: histogram %v, want %v", key, got, e.hist)
	}
}

func TestCategoriesEqualBruteForce(t *testing.T) {
	all := samples(3000)
	want := map[string]uint64{}
	for _, s := range all {
		key := func(name, value string, kind int) string {
			return fmt.Sprint(s.model, s.deploy, name, s.ts/3_600_000*3600, value, kind)
		}
		for name, v := range s.categories {
			cut := []rune(v)
			for len(string(cut)) > 256 {
				cut = cut[:len(cut)-1]
			}
			want[key("feature:"+name, string(cut), 0)]++
		}
		for _, name := range s.nulls {
			want[key("feature:"+name, "", 1)]++
		}
	}
	rollup := folded(t, all).categoryRollup(source{Topic: "t"}, 99)
	defer rollup.record.Release()
	rec := rollup.record
	for i := range int(rec.NumRows()) {
		if nameAt(rec, "model", i) == "" {
			continue
		}
		key := fmt.Sprint(nameAt(rec, "model", i), nameAt(rec, "deploy_hash", i), nameAt(rec, "series", i), int64(column[*array.Timestamp](rec, "time").Value(i)), column[*array.String](rec, "value").Value(i), column[*array.Uint8](rec, "kind").Value(i))
		if n := column[*array.Uint64](rec, "count").Value(i); n != want[key] {
			t.Errorf("%s: %d, want %d", key, n, want[key])
		}
		delete(want, key)
	}
	if len(want) > 0 {
		t.Errorf("%d categories are missing", len(want))
	}
}

func TestTooManyCategoriesGoToOther(t *testing.T) {
	p := decode.NewJSONPredictions(decode.DefaultLimits())
	const n = maxCategories + 500
	for round := range 2 {
		for i := range n {
			event := fmt.Appendf(nil, `{"prediction_id":"p","model":"m","deploy_hash":"d","ts":%d,"features":{"id":"%d"}}`, foldKnown, i)
			if err := p.Append(decode.Record{Offset: int64(round*n + i), Known: foldKnown, Value: event}); err != nil {
				t.Fatal(err)
			}
		}
	}
	f := newFold(nil, nil)
	f.run(p.Predictions)
	rollup := f.categoryRollup(source{}, 0)
	defer rollup.record.Release()
	rec := rollup.record
	var values, other uint64
	for i := range int(rec.NumRows()) {
		switch count := column[*array.Uint64](rec, "count").Value(i); column[*array.Uint8](rec, "kind").Value(i) {
		case plumbline.KindValue:
			values += count
		case plumbline.KindOther:
			other += count
		}
	}
	if rows := rec.NumRows(); rows != maxCategories+2 || values != 2*maxCategories || other != 1000 {
		t.Errorf("%d rows, %d in values, %d in other; want %d, %d, 1000", rows, values, other, maxCategories+2, 2*maxCategories)
	}
}

// Every ClickHouse partition ends in its marker, and its rows lie in it.
func TestRunsAndMarkers(t *testing.T) {
	at := source{Cluster: "c", Topic: "t", Epoch: "e", Partition: 3}
	f := folded(t, samples(1000))
	for _, r := range f.rollups(at, 1234) {
		next := 0
		for i, run := range r.runs {
			if run.from != next || run.to <= run.from+1 || i > 0 && run.key <= r.runs[i-1].key {
				t.Errorf("%s: run %+v after %d rows", r.table, run, next)
			}
			next = run.to
			for row := run.from; row < run.to; row++ {
				seconds := int64(column[*array.Timestamp](r.record, "time").Value(row))
				if monthKey(seconds*1000) != run.key {
					t.Errorf("%s: row %d lies in %d, not in %d", r.table, row, monthKey(seconds*1000), run.key)
				}
				if marked := nameAt(r.record, "model", row) == ""; marked != (row == run.to-1) {
					t.Errorf("%s: row %d of run %+v: marker is %v", r.table, row, run, marked)
				}
			}
			if got := nameAt(r.record, "series", run.to-1); got != "c/e/t/3" {
				t.Errorf("%s: marker names %q", r.table, got)
			}
			mark := "max"
			if r.table == plumbline.TableCategories {
				mark = "mark"
			}
			if got := column[*array.Float64](r.record, mark).Value(run.to - 1); got != 1234 {
				t.Errorf("%s: marker holds %v", r.table, got)
			}
		}
		if int64(next) != r.record.NumRows() || len(r.runs) < 2 {
			t.Errorf("%s: %d runs cover %d of %d rows", r.table, len(r.runs), next, r.record.NumRows())
		}
		r.record.Release()
	}
}

func TestNanoIsExact(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	total, sum := new(big.Int), int128{}
	for range 50_000 {
		v := r.NormFloat64() * math.Pow(10, float64(r.IntN(29)-10))
		if math.Abs(v) > sumLimit {
			continue
		}
		product := v * sumScale
		want, _ := big.NewFloat(math.RoundToEven(product)).Int(nil)
		got := nano(v)
		if bigOf(got).Cmp(want) != 0 {
			t.Fatalf("nano(%v) = %s, want %s", v, bigOf(got), want)
		}
		total.Add(total, want)
		sum = sum.add(got)
	}
	if bigOf(sum).Cmp(total) != 0 {
		t.Errorf("sum %s, want %s", bigOf(sum), total)
	}
}

func TestRequestsOfAWeight(t *testing.T) {
	for weight, want := range map[float64]uint64{0: 1, 0.5: 1, 1: 1, 10: 10, 1e9: 1e9, 1e300: 1e9, math.NaN(): 1} {
		if n := requests(weight, []byte("id")); n != want {
			t.Errorf("weight %v stands for %d, want %d", weight, n, want)
		}
	}
	// Right on average, also for ids that were chosen by the same hash.
	for name, chosen := range map[string]func(uint64) bool{
		"all": func(uint64) bool { return true }, "small hashes": func(h uint64) bool { return h < 1<<62 },
	} {
		var rows, sum float64
		for i := range 100_000 {
			id := fmt.Append(nil, "prediction-", i)
			if chosen(xxhash.Sum64(id)) {
				rows++
				sum += float64(requests(2.25, id))
			}
		}
		if mean := sum / rows; math.Abs(mean-2.25) > .02 {
			t.Errorf("%s: weight 2.25 stands for %v on average", name, mean)
		}
	}
}

func bigOf(n int128) *big.Int {
	b := new(big.Int).Lsh(big.NewInt(n.hi), 64)
	return b.Add(b, new(big.Int).SetUint64(n.lo))
}

func TestPartitionsOrdersOnlyWhatIsOutOfOrder(t *testing.T) {
	for name, tt := range map[string]struct {
		keys []partKey
		runs []run
		move bool
	}{
		"none":     {nil, nil, false},
		"one":      {[]partKey{5, 5, 5}, []run{{5, 0, 3}}, false},
		"in order": {[]partKey{4, 4, 5, 7}, []run{{4, 0, 2}, {5, 2, 3}, {7, 3, 4}}, false},
		"mixed":    {[]partKey{5, 4, 5, 4, 3}, []run{{3, 0, 1}, {4, 1, 3}, {5, 3, 5}}, true},
	} {
		runs, order := partitions(len(tt.keys), func(row int) partKey { return tt.keys[row] })
		if !slices.Equal(runs, tt.runs) || (order != nil) != tt.move {
			t.Errorf("%s: runs %v, order %v", name, runs, order)
		}
	}
}

func TestLastHour(t *testing.T) {
	for key, want := range map[partKey]string{202602: "2026-02-28T23:00:00Z", 202412: "2024-12-31T23:00:00Z"} {
		if got := time.Unix(key.lastHour(), 0).UTC().Format(time.RFC3339); got != want {
			t.Errorf("last hour of %d is %s, want %s", key, got, want)
		}
	}
}

func BenchmarkBatch(b *testing.B) {
	const n = 65_536
	p := decode.NewJSONPredictions(decode.DefaultLimits())
	for i := range n {
		var f strings.Builder
		for k := range 20 {
			fmt.Fprintf(&f, `"feature_%02d":%.4f,`, k, float64(i*(k+3)%10_000)/7)
		}
		event := fmt.Appendf(nil, `{"prediction_id":"%036d","model":"m","deploy_hash":"d","ts":%d,"features":{%s"origin":"A%02d","destination":"B%02d","carrier":"C%d"},"score":0.%04d,"predicted":"late","latency_ms":12.5}`, i, foldKnown+int64(i)*10, f.String(), i%50, i%37, i%9, i%10_000)
		if err := p.Append(decode.Record{Offset: int64(i), Known: foldKnown, Value: event}); err != nil {
			b.Fatal(err)
		}
	}
	rows := &rows{predictions: &predictionRows{p.Predictions, decode.NewPredictions(decode.DefaultLimits()), newFold(nil, nil), nil}}
	b.ReportAllocs()
	for b.Loop() {
		release(rows.tables(source{Topic: "t"}, n))
	}
	b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "events/s")
}
