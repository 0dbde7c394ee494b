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

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/decode"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// naiveCell is a cell as anybody would count it.
type naiveCell struct {
	count, rows, nans, infs uint64
	sum                     *big.Int
	min, max                float64
	hist                    map[int32]uint64
}

func (c *naiveCell) String() string {
	return fmt.Sprintf("count %d rows %d nans %d infs %d sum %s min %x max %x hist %v", c.count, c.rows, c.nans, c.infs, c.sum,
		math.Float64bits(c.min), math.Float64bits(c.max), c.hist)
}

func (c *naiveCell) equal(d *naiveCell) bool {
	same := func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }
	return c.count == d.count && c.rows == d.rows && c.nans == d.nans && c.infs == d.infs && c.sum.Cmp(d.sum) == 0 &&
		same(c.min, d.min) && same(c.max, d.max) && maps.Equal(c.hist, d.hist)
}

// naive is a fold of maps: a row after the other, a value after the other.
type naive struct {
	in     *decode.Predictions
	number map[string]bool
	cells  map[int64]map[string]*naiveCell // by seconds of the unit
	// categories are requests and rows by series and value, in distinct values.
	categories map[string][2]uint64
	distinct   map[string]map[string]bool
	others     int
	declared   segment.Declared
}

func newNaive(in *decode.Predictions, number map[string]bool, declared segment.Declared) *naive {
	n := &naive{in, number, map[int64]map[string]*naiveCell{60: {}, 3600: {}}, map[string][2]uint64{}, map[string]map[string]bool{}, 0, declared}
	for row := range in.Len() {
		for _, segment := range n.segments(row) {
			n.row(row, segment)
		}
	}
	return n
}

// segments names those that a row is counted in, the whole first.
func (n *naive) segments(row int) []string {
	carried := map[string]string{}
	from, to := n.in.Segments.Row(row)
	for i := from; i < to; i++ {
		carried[string(n.in.SegmentKeys.Value(n.in.Segments.Keys[i]))] = string(n.in.SegmentTexts.Value(n.in.SegmentValues[i]))
	}
	listed := map[string][]string{}
	all := []string{""}
	segments := n.declared[plumbline.Model(n.in.Model.At(row))].Segments
	for _, s := range segments {
		listed[s.Name] = s.Values
	}
	for _, s := range segments {
		names := s.Joint
		if len(names) == 0 {
			names = []string{s.Name}
		}
		var parts []string
		for _, name := range names {
			value, ok := carried[name]
			if !ok {
				break
			}
			if !slices.Contains(listed[name], value) {
				value = "other"
			}
			parts = append(parts, name+"="+value)
		}
		if len(parts) == len(names) {
			all = append(all, strings.Join(parts, ","))
		}
	}
	return all
}

// key names the row's owner and its minute or hour.
func (n *naive) key(row int, unit int64, segment string) string {
	at := int64(math.Floor(float64(n.in.TS[row])/1000/float64(unit))) * unit
	return fmt.Sprintf("%s %s %s %q %d ", n.in.Model.At(row), n.in.Deploy.At(row), n.in.Stage.At(row), segment, at)
}

func (n *naive) cell(unit int64, key string) *naiveCell {
	cells := n.cells[unit]
	if cells[key] == nil {
		cells[key] = &naiveCell{sum: new(big.Int), min: math.Inf(1), max: math.Inf(-1), hist: map[int32]uint64{}}
	}
	return cells[key]
}

func (n *naive) row(row int, segment string) {
	in := n.in
	weight := requests(in.Weight[row], in.ID.At(row))
	for _, unit := range []int64{60, 3600} {
		key := n.key(row, unit, segment)
		if string(in.Half.At(row)) != decode.HalfResponse {
			all := n.cell(unit, key+"requests")
			all.count += weight
			all.rows++
		}
		minute := unit == 60
		if v, ok := in.Score.At(row); ok {
			n.value(n.cell(unit, key+"score"), v, weight, !n.number[string(in.Model.At(row))], minute, true)
		}
		if v, ok := in.PredictedValue.At(row); ok {
			n.value(n.cell(unit, key+"predicted_value"), v, weight, false, minute, false)
		}
		if v, ok := in.Latency.At(row); ok {
			n.value(n.cell(unit, key+"latency_ms"), v, weight, false, minute, true)
		}
		if v, ok := in.Disagreement.At(row); ok {
			n.value(n.cell(unit, key+"disagreement"), v, weight, false, minute, false)
		}
		if v, ok := in.Explained.At(row); ok {
			n.value(n.cell(unit, key+"explained"), v, weight, false, minute, false)
		}
		from, to := in.Numbers.Row(row)
		for i := from; i < to; i++ {
			series := "feature:" + string(in.Features.Value(in.Numbers.Keys[i]))
			n.value(n.cell(unit, key+series), in.NumberValues[i], weight, false, minute, false)
		}
	}
	hour := n.key(row, 3600, segment)
	if class := in.Predicted.At(row); len(class) > 0 {
		n.category(hour+"predicted", string(class), weight)
	}
	from, to := in.Categories.Row(row)
	for i := from; i < to; i++ {
		n.category(hour+"feature:"+string(in.Features.Value(in.Categories.Keys[i])), string(in.Values.Value(in.CategoryValues[i])), weight)
	}
	from, to = in.Nulls.Row(row)
	for i := from; i < to; i++ {
		n.count(hour+"feature:"+string(in.Features.Value(in.Nulls.Keys[i])), "", plumbline.KindNull, weight)
	}
}

func (n *naive) value(c *naiveCell, v float64, weight uint64, odds, minute, coarse bool) {
	switch {
	case math.IsNaN(v):
		c.nans += weight
		return
	case math.Abs(v) > 1e18, odds && (v < 0 || v > 1):
		c.infs += weight
		return
	}
	c.count += weight
	c.rows++
	product := v * 1e9
	units, _ := big.NewFloat(math.RoundToEven(product)).Int(nil)
	c.sum.Add(c.sum, units.Mul(units, new(big.Int).SetUint64(weight)))
	if v == 0 {
		v = 0
	}
	c.min, c.max = math.Min(c.min, v), math.Max(c.max, v)
	bucket := grid.Bucket(v)
	if odds {
		bucket = grid.OddsBucket(v)
	}
	switch {
	case !minute:
		c.hist[bucket] += weight
	case coarse:
		c.hist[grid.ToCoarse(bucket)] += weight
	}
}

func (n *naive) category(series, value string, weight uint64) {
	if runes := []rune(value); len(value) > 256 {
		for len(string(runes)) > 256 {
			runes = runes[:len(runes)-1]
		}
		value = string(runes)
	}
	if n.distinct[series] == nil {
		n.distinct[series] = map[string]bool{}
	}
	switch known := n.distinct[series]; {
	case known[value] || len(known) < 10_000:
		known[value] = true
		n.count(series, value, plumbline.KindValue, weight)
	default:
		n.others++
		n.count(series, "", plumbline.KindOther, weight)
	}
}

func (n *naive) count(series, value string, kind uint8, weight uint64) {
	key := fmt.Sprint(series, " ", kind, " ", value)
	c := n.categories[key]
	n.categories[key] = [2]uint64{c[0] + weight, c[1] + 1}
}

// randomBatch makes rows of everything that columns can hold. It is decoded and
// then changed in place, where no format would carry the value.
func randomBatch(t *testing.T, r *rand.Rand, rows, features int) *decode.Predictions {
	t.Helper()
	p := decode.NewJSONPredictions(decode.DefaultLimits())
	layouts := r.IntN(5)                                                                         // few layouts make long stretches
	slicing, sliced := rand.New(rand.NewPCG(uint64(rows), 5)), min(rows, 1500, 100_000/features) // the fold of maps is slow
	for i := range rows {
		at := foldKnown - r.Int64N(90_000)
		switch r.IntN(20) {
		case 0:
			at = foldKnown - r.Int64N(60*86_400_000)
		case 1, 2:
			at = foldKnown - r.Int64N(3*3_600_000)
		}
		var fields []string
		for f := range features {
			switch kind := (f + r.IntN(layouts+1)) % 6; kind {
			case 4:
				fields = append(fields, fmt.Sprintf(`"f%d":%q`, f, randomText(r)))
			case 5:
				fields = append(fields, fmt.Sprintf(`"f%d":null`, f))
			default:
				fields = append(fields, fmt.Sprintf(`"f%d":1`, f))
			}
		}
		optional := ""
		for _, field := range []string{`"score":0.5,`, `"latency_ms":1,`, `"disagreement":1,`, `"explained":true,`, `"predicted":"%d",`, `"predicted":1,`} {
			if r.IntN(3) > 0 && !(strings.Contains(optional, "predicted") && strings.Contains(field, "predicted")) {
				optional += strings.Replace(field, "%d", fmt.Sprint(r.IntN(40*rows)), 1) // more than maxCategories
			}
		}
		event := fmt.Appendf(nil, `{"prediction_id":"p%d","model":%q,"deploy_hash":"d%d","stage":%q,"ts":%d,%s"segments":{%s},"features":{%s}}`, i,
			[]string{"odds", "number"}[min(1, r.IntN(8))], r.IntN(2)*r.IntN(2), []string{"production", "canary"}[r.IntN(9)/8], at, optional, randomSegments(slicing, i < sliced), strings.Join(fields, ","))
		if err := p.Append(decode.Record{Offset: int64(i), Known: foldKnown, Value: event}); err != nil {
			t.Fatal(err)
		}
	}
	spoil(r, p.Predictions)
	return p.Predictions
}

// randomSegments are some that are declared (see naiveSegments), some with
// values that are not, and one that nobody declared.
func randomSegments(r *rand.Rand, some bool) string {
	if !some {
		return ""
	}
	var fields []string
	for _, name := range []string{"region", "device", "plan", "else"} {
		switch r.IntN(4) {
		case 0, 1:
			fields = append(fields, fmt.Sprintf(`%q:%q`, name, []string{"eu", "us", "a=b", "", "other", "é"}[r.IntN(6)]))
		case 2:
			fields = append(fields, fmt.Sprintf(`%q:"v%d"`, name, r.IntN(10_000)))
		}
	}
	return strings.Join(fields, ",")
}

// naiveSegments declare a joint segment before its parts, keys that two models
// share with other values, and values in any order.
func naiveSegments() segment.Declared {
	return segment.Declared{
		"odds": {Segments: []segment.Segment{
			{Joint: []string{"device", "region", "plan"}}, {Name: "region", Values: []string{"us", "eu"}},
			{Name: "device", Values: []string{"a=b", "é", "v7"}}, {Joint: []string{"region", "device"}}, {Name: "plan", Values: []string{"v1"}}}},
		"number": {Segments: []segment.Segment{{Name: "region", Values: []string{"é"}}}},
		"absent": {Segments: []segment.Segment{{Name: "region", Values: []string{"eu"}}}},
	}
}

func randomText(r *rand.Rand) string {
	if r.IntN(50) > 0 {
		return fmt.Sprint(r.IntN(40_000))
	}
	return strings.Repeat("é", 120+r.IntN(20)) + "z"
}

// spoil puts odd values into columns.
func spoil(r *rand.Rand, p *decode.Predictions) {
	for _, column := range [][]float64{p.Score.Values, p.PredictedValue.Values, p.Latency.Values, p.Disagreement.Values, p.Explained.Values, p.NumberValues} {
		for i := range column {
			column[i] = randomValue(r)
		}
	}
	for i := range p.Score.Values {
		if r.IntN(10) > 0 {
			p.Score.Values[i] = r.Float64()*1.1 - 0.05
		}
	}
	halves := []int32{p.Half.Dict.ID([]byte(decode.HalfRequest)), p.Half.Dict.ID([]byte(decode.HalfResponse)), p.Half.Dict.ID(nil)}
	weighted := r.IntN(2) > 0
	for row := range p.Weight {
		p.Half.IDs[row] = halves[r.IntN(3)]
		if weighted && r.IntN(2) > 0 {
			p.Weight[row] = []float64{0, -1, math.NaN(), 0.5, 2, 2.5, 1.0000000001, 7.125, 1e9, 1e12, 1 + r.ExpFloat64()*100}[r.IntN(11)]
		}
	}
}

func randomValue(r *rand.Rand) float64 {
	switch r.IntN(12) {
	case 0:
		return []float64{0, math.Copysign(0, -1), 1e18, -1e18, math.Nextafter(1e18, 2e18), 1e300, 5e-324, 0.5e-9, 1.5e-9, -2.5e-9,
			math.NaN(), math.Inf(1), math.Inf(-1), 9e9, -9e9, math.Nextafter(9e9, 0), 9223372036.854775, 9223372036.854777, -9223372036.854777}[r.IntN(19)]
	case 1:
		return math.Float64frombits(r.Uint64())
	case 2:
		return r.NormFloat64() * math.Pow(10, float64(r.IntN(20)))
	case 3:
		return math.Copysign(0, float64(r.IntN(2))-0.5)
	}
	return r.NormFloat64() * 100
}

// TestFoldEqualsNaive holds the fold, which groups and reorders what it counts,
// against the naive one, cell by cell. Large batches fill whole pages of
// histograms and more, small ones none; one fold counts them all.
func TestFoldEqualsNaive(t *testing.T) {
	f := newFold(map[plumbline.Model]ScoreKind{"number": ScoreNumber}, naiveSegments())
	for round, size := range []struct{ rows, features int }{{1, 5}, {300, 5}, {40_000, 5}, {50, 5}, {1_200, maxDirectories + 50}, {3_000, 5}, {5_000, 7}, {2_000, 3}} {
		r := rand.New(rand.NewPCG(uint64(round), 11))
		in := randomBatch(t, r, size.rows, size.features)
		want := newNaive(in, map[string]bool{"number": true}, naiveSegments())
		f.run(in)
		for _, rollup := range f.rollups(source{Topic: "t"}, 99) {
			switch rollup.table {
			case plumbline.TableCategories:
				compareCategories(t, rollup.record, want.categories)
			case plumbline.TableSeriesHour:
				compareSeries(t, rollup.record, want.cells[3600])
			case plumbline.TableSeriesMinute:
				compareSeries(t, rollup.record, want.cells[60])
			}
			rollup.record.Release()
		}
		if full := len(f.hours.bins.pages) > maxPages && f.hours.bins.rest.len() > 0; size.rows == 40_000 && !(full && want.others > 0) {
			t.Errorf("batch %d: pages are full: %v, %d values in too many categories", round, full, want.others)
		}
		if hours, minutes := len(want.cells[3600]), len(want.cells[60]); hours+minutes > 0 {
			t.Errorf("batch %d: cells of %d hours and %d minutes are missing", round, hours, minutes)
		}
	}
}

func rowKey(rec arrow.Record, row int) string {
	return fmt.Sprintf("%s %s %s %q %d %s", nameAt(rec, "model", row), nameAt(rec, "deploy_hash", row), nameAt(rec, "stage", row), nameAt(rec, "segment", row),
		int64(column[*array.Timestamp](rec, "time").Value(row)), nameAt(rec, "series", row))
}

// compareSeries takes the cells of a record out of want.
func compareSeries(t *testing.T, rec arrow.Record, want map[string]*naiveCell) {
	t.Helper()
	hist := column[*array.Struct](rec, "hist")
	buckets, counts := hist.Field(0).(*array.List), hist.Field(1).(*array.List)
	number := func(name string, row int) uint64 { return column[*array.Uint64](rec, name).Value(row) }
	for row := range int(rec.NumRows()) {
		if nameAt(rec, "model", row) == "" {
			continue
		}
		raw := column[*array.FixedSizeBinary](rec, "sum_nano").Value(row)
		sum := new(big.Int).SetInt64(int64(binary.LittleEndian.Uint64(raw[8:])))
		got := &naiveCell{number("count", row), number("rows", row), number("nans", row), number("infs", row),
			sum.Add(sum.Lsh(sum, 64), new(big.Int).SetUint64(binary.LittleEndian.Uint64(raw))),
			column[*array.Float64](rec, "min").Value(row), column[*array.Float64](rec, "max").Value(row), map[int32]uint64{}}
		from, to := buckets.ValueOffsets(row)
		for k := from; k < to; k++ {
			bucket := buckets.ListValues().(*array.Int32).Value(int(k))
			if k > from && bucket <= buckets.ListValues().(*array.Int32).Value(int(k-1)) {
				t.Errorf("row %d: buckets are not sorted", row)
			}
			got.hist[bucket] = counts.ListValues().(*array.Uint64).Value(int(k))
		}
		key := rowKey(rec, row)
		if want[key] == nil || !got.equal(want[key]) {
			t.Fatalf("%s:\n got %v\nwant %v", key, got, want[key])
		}
		delete(want, key)
	}
}

func compareCategories(t *testing.T, rec arrow.Record, want map[string][2]uint64) {
	t.Helper()
	got := map[string][2]uint64{}
	for row := range int(rec.NumRows()) {
		if nameAt(rec, "model", row) != "" {
			key := fmt.Sprint(rowKey(rec, row), " ", column[*array.Uint8](rec, "kind").Value(row), " ", column[*array.String](rec, "value").Value(row))
			got[key] = [2]uint64{column[*array.Uint64](rec, "count").Value(row), column[*array.Uint64](rec, "rows").Value(row)}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%d categories, want %d, or their counts differ", len(got), len(want))
	}
}
