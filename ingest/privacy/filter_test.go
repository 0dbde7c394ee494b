package privacy

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

const (
	secretOld = "old-secret-old-secret-old-secret-old"
	secretNew = "new-secret-new-secret-new-secret-new"
)

// rotation is when the new key begins; the old one goes on for a day.
var rotation = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

func filter(t testing.TB, config string) *Filter {
	t.Helper()
	c, err := read(config)
	if err != nil {
		t.Fatal(err)
	}
	c.KeysFile = filepath.Join(t.TempDir(), "keys")
	text := fmt.Sprintf("old %s 2020-01-01T00:00:00Z %s\nnew %s %s\n", secretOld, rotation.Add(24*time.Hour).Format(time.RFC3339), secretNew, rotation.Format(time.RFC3339))
	if err := os.WriteFile(c.KeysFile, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// plain is one row as maps.
type plain struct {
	Model, ID  string
	Known      int64
	Numbers    map[string]float64
	Categories map[string]string
	Nulls      []string
	Segments   map[string]string
}

// rowsOf spells the columns out.
func rowsOf(t *testing.T, p *decode.Predictions) []plain {
	t.Helper()
	for name, l := range map[string]struct {
		list   *decode.List
		values int
	}{"numbers": {&p.Numbers, len(p.NumberValues)}, "categories": {&p.Categories, len(p.CategoryValues)}, "segments": {&p.Segments, len(p.SegmentValues)}, "nulls": {&p.Nulls, len(p.Nulls.Keys)}} {
		offsets := l.list.Offsets
		if len(offsets) != p.Len()+1 || offsets[0] != 0 || int(offsets[p.Len()]) != len(l.list.Keys) || len(l.list.Keys) != l.values || !slices.IsSorted(offsets) {
			t.Fatalf("%s: %d rows, %d keys, %d values, offsets %v", name, p.Len(), len(l.list.Keys), l.values, offsets)
		}
	}
	var all []plain
	for i := range p.Len() {
		r := plain{string(p.Model.At(i)), string(p.ID.At(i)), p.Source.Known[i], map[string]float64{}, map[string]string{}, nil, map[string]string{}}
		from, to := p.Numbers.Row(i)
		for k := from; k < to; k++ {
			r.Numbers[string(p.Features.Value(p.Numbers.Keys[k]))] = p.NumberValues[k]
		}
		from, to = p.Categories.Row(i)
		for k := from; k < to; k++ {
			name := string(p.Features.Value(p.Categories.Keys[k]))
			if _, twice := r.Categories[name]; twice {
				t.Fatalf("row %d has %s twice", i, name)
			}
			r.Categories[name] = string(p.Values.Value(p.CategoryValues[k]))
		}
		from, to = p.Nulls.Row(i)
		for k := from; k < to; k++ {
			r.Nulls = append(r.Nulls, string(p.Features.Value(p.Nulls.Keys[k])))
		}
		from, to = p.Segments.Row(i)
		for k := from; k < to; k++ {
			r.Segments[string(p.SegmentKeys.Value(p.Segments.Keys[k]))] = string(p.SegmentTexts.Value(p.SegmentValues[k]))
		}
		all = append(all, r)
	}
	return all
}

// hashesAt are a value's hashes under the keys in use, the newest first.
func hashesAt(known int64, value string) []string {
	older, newer := hashByHand("old", secretOld, value), hashByHand("new", secretNew, value)
	switch at := time.UnixMilli(known); {
	case at.Before(rotation):
		return []string{older}
	case at.Before(rotation.Add(24 * time.Hour)):
		return []string{newer, older}
	}
	return []string{newer}
}

// ruleFor is the rule of a name by the policy of model "strict", and keep for others.
func ruleFor(model string, segment bool, name string) (action string, to float64) {
	switch {
	case model != "strict":
		return "keep", 0
	case name == "secret":
		return "drop", 0
	case name == "email" || name == "account":
		return "hash", 0
	case name == "city":
		return "truncate", 3
	case name == "amount":
		return "truncate", 0.25
	case name == "kept":
		return "keep", 0
	case segment:
		return "hash", 0
	}
	return "drop", 0 // *
}

const strictPolicy = `
keys_file: replaced
models:
  - model: strict
    prediction_id: hash
    features: {secret: drop, email: hash, account: hash, city: {truncate: 3}, amount: {truncate: 0.25}, kept: keep, "*": drop}
    segments: {secret: drop, email: hash, account: hash, city: {truncate: 3}, amount: {truncate: 0.25}, kept: keep, "*": hash}
  - model: sampled
    raw_rate: 0.5
`

// naive applies the policy to one row.
func naive(r plain) plain {
	out := plain{r.Model, r.ID, r.Known, map[string]float64{}, map[string]string{}, nil, map[string]string{}}
	hashed := func(name, text string) {
		for i, h := range hashesAt(r.Known, text) {
			if i > 0 {
				name += "@old"
			}
			out.Categories[name] = h
		}
	}
	for name, v := range r.Numbers {
		switch action, to := ruleFor(r.Model, false, name); action {
		case "keep":
			out.Numbers[name] = v
		case "hash":
			hashed(name, strconv.FormatFloat(v, 'g', -1, 64))
		case "truncate":
			out.Numbers[name] = math.Floor(v/to) * to
		}
	}
	for name, text := range r.Categories {
		switch action, to := ruleFor(r.Model, false, name); action {
		case "keep":
			out.Categories[name] = text
		case "hash":
			hashed(name, text)
		case "truncate":
			out.Categories[name] = string([]rune(text)[:min(len([]rune(text)), int(to))])
		}
	}
	for _, name := range r.Nulls {
		if action, _ := ruleFor(r.Model, false, name); action != "drop" {
			out.Nulls = append(out.Nulls, name)
		}
	}
	for name, text := range r.Segments {
		switch action, to := ruleFor(r.Model, true, name); action {
		case "keep":
			out.Segments[name] = text
		case "hash":
			out.Segments[name] = hashesAt(r.Known, text)[0]
		case "truncate":
			out.Segments[name] = string([]rune(text)[:min(len([]rune(text)), int(to))])
		}
	}
	if r.Model == "strict" {
		out.ID = hashesAt(r.Known, r.ID)[0]
	}
	return out
}

var names = []string{"secret", "email", "account", "city", "amount", "kept", "unnamed"}

// randomEvent is a prediction with any of the features in any type.
func randomEvent(rng *rand.Rand, id int, models []string) map[string]any {
	texts := []string{"", "a", "ab", "Zürich", "東京都庁", "a@b.c", "\U0001F600\U0001F601\U0001F602\U0001F603", "old:0123"}
	numbers := []float64{0, -0.1, 1, 0.25, 0.3, -7.75, 1e15, 123456.789, 1e300}
	features, segments := map[string]any{}, map[string]any{}
	for _, name := range names {
		switch rng.IntN(4) {
		case 0:
			features[name] = texts[rng.IntN(len(texts))]
		case 1:
			features[name] = numbers[rng.IntN(len(numbers))]
		case 2:
			features[name] = nil
		}
		if rng.IntN(2) == 0 {
			segments[name] = texts[1+rng.IntN(len(texts)-1)]
		}
	}
	return map[string]any{"prediction_id": fmt.Sprint("id-", id%50), "model": models[rng.IntN(len(models))], "deploy_hash": "d", "ts": rotation.Add(-48 * time.Hour).UnixMilli(), "features": features, "segments": segments}
}

// fill decodes events with Kafka timestamps around the rotation.
func fill(t testing.TB, p *decode.Predictions, rng *rand.Rand, n int, models ...string) {
	t.Helper()
	source := decode.Source{Topic: "t", Holds: []decode.Kind{decode.KindPredictions}}.WithDefaults()
	decoder, err := source.Open(decode.Columns{Predictions: p})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		value, err := json.Marshal(randomEvent(rng, i, models))
		if err != nil {
			t.Fatal(err)
		}
		known := rotation.Add(time.Duration(rng.IntN(72)-24) * time.Hour).UnixMilli()
		if err := decoder.Append(decode.Record{Offset: int64(i), Known: known, Value: value}); err != nil {
			t.Fatalf("%s: %v", value, err)
		}
	}
}

func TestFilterIsTheNaiveOne(t *testing.T) {
	f := filter(t, strictPolicy)
	columns := f.NewColumns()
	p := decode.NewPredictions(decode.DefaultLimits())
	for seed := range uint64(200) {
		rng := rand.New(rand.NewPCG(seed, 1))
		p.Reset() // the same memory, batch after batch
		fill(t, p, rng, rng.IntN(40), [][]string{{"strict", "free", "sampled"}, {"free"}, {"strict"}}[seed%3]...)
		before := rowsOf(t, withOffsets(p))
		var want []plain
		for _, r := range before {
			want = append(want, naive(r))
		}
		columns.Predictions(p)
		got := rowsOf(t, withOffsets(p))
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("seed %d, row %d:\nwas  %+v\ngot  %+v\nwant %+v", seed, i, before[i], got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("seed %d: %d rows, want %d", seed, len(got), len(want))
		}
	}
}

// withOffsets gives columns without rows the offsets that a row would.
func withOffsets(p *decode.Predictions) *decode.Predictions {
	if p.Len() == 0 {
		for _, l := range []*decode.List{&p.Numbers, &p.Categories, &p.Nulls, &p.Segments} {
			l.Offsets = []int32{0}
		}
	}
	return p
}

func TestMultiple(t *testing.T) {
	for _, c := range []struct{ v, step, want float64 }{
		{7, 5, 5}, {-7, 5, -10}, {5, 5, 5}, {0, 5, 0}, {-0.1, 1, -1},
		{0.3, 0.1, 3 * 0.1}, {0.7, 0.1, 7 * 0.1}, {0.35, 0.1, 3 * 0.1}, {1.1, 1.1, 1.1}, {0.2999, 0.1, 0.2},
		{1e300, 1e-300, 1e300}, {math.Inf(1), 5, math.Inf(1)}, {math.Inf(-1), 5, math.Inf(-1)}, {math.MaxFloat64, 3, math.MaxFloat64},
	} {
		if got := multiple(c.v, c.step); math.Abs(got-c.want) > 1e-12*math.Abs(c.want) && got != c.want {
			t.Errorf("%g down to a multiple of %g is %g, want %g", c.v, c.step, got, c.want)
		}
	}
	if !math.IsNaN(multiple(math.NaN(), 5)) {
		t.Error("NaN became a number")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for range 100000 {
		v, step := rng.NormFloat64()*1e6, math.Exp(rng.NormFloat64()*3)
		if got := multiple(v, step); got > v+1e-6 || got < v-step-1e-6 || multiple(got, step) != got {
			t.Fatalf("%g down to a multiple of %g is %g, and once more %g", v, step, got, multiple(got, step))
		}
	}
}

func TestLabelsMeetTheirPredictions(t *testing.T) {
	f := filter(t, strictPolicy)
	columns := f.NewColumns()
	source := decode.Source{Topic: "l", Holds: []decode.Kind{decode.KindLabels}}.WithDefaults()
	into := source.Columns(decode.DefaultLimits())
	decoder, err := source.Open(into)
	if err != nil {
		t.Fatal(err)
	}
	space := decode.NewLabels(decode.DefaultLimits())
	for round := range 2 {
		into.Labels.Reset()
		var want []string
		for i, c := range []struct {
			model string
			at    time.Duration
		}{{"strict", -time.Hour}, {"free", time.Hour}, {"strict", time.Hour}, {"strict", 25 * time.Hour}, {"sampled", 0}} {
			known := rotation.Add(c.at).UnixMilli()
			id := fmt.Sprint("id-", i+round)
			value := fmt.Sprintf(`{"prediction_id":%q,"model":%q,"ts":%d,"label":"class %d"}`, id, c.model, known-1000, i)
			if err := decoder.Append(decode.Record{Offset: int64(i), Known: known, Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
			stored := []string{id}
			if c.model == "strict" {
				stored = hashesAt(known, id)
			}
			for _, id := range stored {
				want = append(want, fmt.Sprintf("%s %s class %d %d %d %d", c.model, id, i, known-1000, known, i))
			}
		}
		out := columns.Labels(into.Labels, space)
		var got []string
		for i := range out.Len() {
			got = append(got, fmt.Sprintf("%s %s %s %d %d %d", out.Model.At(i), out.ID.At(i), out.Class.At(i), out.TS[i], out.Source.Known[i], out.Source.Offset[i]))
		}
		if !slices.Equal(got, want) {
			t.Errorf("labels\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
	// Where nothing is hashed the columns are handed on.
	into.Labels.Reset()
	if err := decoder.Append(decode.Record{Known: rotation.UnixMilli(), Value: fmt.Appendf(nil, `{"prediction_id":"a","model":"free","ts":%d,"label":"x"}`, rotation.UnixMilli())}); err != nil {
		t.Fatal(err)
	}
	if columns.Labels(into.Labels, space) != into.Labels || (*Columns)(nil).Labels(into.Labels, space) != into.Labels {
		t.Error("labels of a model without a policy are copied")
	}
}

// sampled returns the rows of n events that are kept, by id.
func sampled(t *testing.T, rate string, n int, model string) (ids map[string]bool, some bool, at float64) {
	t.Helper()
	f, err := New(must(t, "models: [{model: m, raw_rate: "+rate+"}]"))
	if err != nil {
		t.Fatal(err)
	}
	p := decode.NewPredictions(decode.DefaultLimits())
	source := decode.Source{Topic: "t", Holds: []decode.Kind{decode.KindPredictions}}.WithDefaults()
	decoder, err := source.Open(decode.Columns{Predictions: p})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		// Each id is delivered twice, at times of its own.
		for range 2 {
			value := fmt.Sprintf(`{"prediction_id":"p-%d","model":%q,"deploy_hash":"d","ts":%d}`, i, model, rotation.UnixMilli())
			if err := decoder.Append(decode.Record{Offset: int64(p.Len()), Known: rotation.UnixMilli() + int64(p.Len()), Value: []byte(value)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	columns := f.NewColumns()
	columns.Predictions(p)
	rows, some := columns.Sample(p)
	ids = map[string]bool{}
	for _, row := range rows {
		ids[string(p.ID.At(int(row)))] = true
		at = columns.Rate(p, int(row))
	}
	if some && len(rows) != 2*len(ids) {
		t.Errorf("%d rows of %d ids are kept: a repeat went another way", len(rows), len(ids))
	}
	return ids, some, at
}

func must(t *testing.T, config string) Config {
	t.Helper()
	c, err := read(config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestSampleKeepsTheRate(t *testing.T) {
	const n = 20000
	before := map[string]bool{}
	for _, rate := range []string{"0.01", "0.1", "0.5", "0.99"} {
		want, err := strconv.ParseFloat(rate, 64)
		if err != nil {
			t.Fatal(err)
		}
		ids, some, at := sampled(t, rate, n, "m")
		// Five standard deviations of a binomial.
		if bound := 5 * math.Sqrt(n*want*(1-want)); !some || at != want || math.Abs(float64(len(ids))-n*want) > bound {
			t.Errorf("rate %s: %d of %d are kept, want %g±%g", rate, len(ids), n, n*want, bound)
		}
		again, _, _ := sampled(t, rate, n, "m")
		if !reflect.DeepEqual(ids, again) {
			t.Errorf("rate %s: another choice the second time", rate)
		}
		for id := range before {
			if !ids[id] {
				t.Fatalf("%s is kept at a lower rate than %s and not at this", id, rate)
			}
		}
		before = ids
	}
	// Another model is kept whole though a policy samples.
	if ids, some, _ := sampled(t, "0.1", 100, "other"); some {
		t.Errorf("%d of 100 rows of another model are kept", len(ids))
	}
	if _, some, _ := sampled(t, "1", 100, "m"); some {
		t.Error("a rate of 1 samples")
	}
}

func TestNilFilterKeepsEverything(t *testing.T) {
	f, err := New(Config{})
	if f != nil || err != nil {
		t.Fatalf("%v, %v", f, err)
	}
	if f.Identity() != "" || f.Samples() || f.Keys() != nil || f.NewColumns() != nil {
		t.Error("a nil filter does something")
	}
	p := decode.NewPredictions(decode.DefaultLimits())
	fill(t, p, rand.New(rand.NewPCG(1, 1)), 20, "strict")
	before := rowsOf(t, p)
	f.NewColumns().Predictions(p)
	if _, some := f.NewColumns().Sample(p); some || !reflect.DeepEqual(rowsOf(t, p), before) {
		t.Error("a nil filter changes rows")
	}
}

func BenchmarkFilter(b *testing.B) {
	f := filter(b, strictPolicy)
	columns := f.NewColumns()
	p := decode.NewPredictions(decode.DefaultLimits())
	rng := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		b.StopTimer()
		p.Reset()
		fill(b, p, rng, 1000, "strict")
		b.StartTimer()
		columns.Predictions(p)
	}
	b.ReportMetric(float64(b.N)*1000/b.Elapsed().Seconds(), "events/s")
}

// Without keys nothing that is to be hidden stays, hashes among it.
func TestUnkeyedDropsWhatIsToBeHashed(t *testing.T) {
	cfg, err := read("{keys_file: none, models: [{model: m, prediction_id: hash, features: {customer: hash, city: {truncate: 3}, open: keep}, segments: {'*': hash}}]}")
	if err != nil {
		t.Fatal(err)
	}
	p := decode.NewJSONPredictions(decode.DefaultLimits())
	value := `{"prediction_id":"1","model":"m","deploy_hash":"d","ts":1772323200000,"features":{"customer":"c-81","city":"Bremen","open":1},"segments":{"region":"eu"}}`
	if err := p.Append(decode.Record{Known: rotation.UnixMilli(), Value: []byte(value)}); err != nil {
		t.Fatal(err)
	}
	Unkeyed(cfg).NewColumns().Predictions(p.Predictions)
	got := rowsOf(t, p.Predictions)[0]
	if got.ID != "1" || len(got.Segments) > 0 || fmt.Sprint(got.Categories) != "map[city:Bre]" || fmt.Sprint(got.Numbers) != "map[open:1]" {
		t.Errorf("%+v", got)
	}
	if rule := cfg.Models[0].FeatureRule("customer"); rule.Action != Hash {
		t.Errorf("the configuration itself says %s now", rule)
	}
}
