package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// The oracle decodes predictions with encoding/json, slowly, by the schema. It
// shares nothing with the scanner.

type member struct {
	key   string
	value any // string, float64, bool, nil, []member, []any
}

// largeWhole is a whole number that float64 may not hold: a number where one is
// measured, refused where one is compared.
type largeWhole float64

// measured makes such numbers of a value, an object or array of them included, as
// others.
func measured(value any) any {
	switch v := value.(type) {
	case largeWhole:
		return float64(v)
	case []member:
		for i := range v {
			v[i].value = measured(v[i].value)
		}
	case []any:
		for i := range v {
			v[i] = measured(v[i])
		}
	}
	return value
}

func parseValue(dec *json.Decoder, depth int) (any, error) {
	if depth > maxDepth+1 {
		return nil, errors.New("too nested")
	}
	token, err := dec.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if n, is := token.(json.Number); is {
		v, err := n.Float64()
		if roundedToZero(string(n), v) {
			return nil, errRefused
		}
		whole, is := new(big.Int).SetString(string(n), 10)
		if is && whole.CmpAbs(big.NewInt(1<<53)) >= 0 {
			return largeWhole(v), err
		}
		return v, err
	}
	if !ok {
		return token, nil
	}
	if delim == '[' {
		items := []any{}
		for dec.More() {
			item, err := parseValue(dec, depth+1)
			if err != nil {
				return nil, err
			}
			items = append(items, item)
		}
		_, err = dec.Token()
		return items, err
	}
	members := []member{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, err
		}
		value, err := parseValue(dec, depth+1)
		if err != nil {
			return nil, err
		}
		members = append(members, member{key.(string), value})
	}
	_, err = dec.Token()
	return members, err
}

type oracleRow struct {
	id, model, deploy, stage, predicted, status string
	ts                                          int64
	score, value, latency, propensity           *float64
	disagreement, explained                     *float64
	votes, grades                               []float64 // of votes, a number a class
	explanation                                 *bool
	weight                                      float64
	numbers                                     map[string]float64
	categories, segments                        map[string]string
	nulls                                       map[string]bool
}

var errRefused = errors.New("refused")

func oracle(text []byte, limits Limits, known int64) (*oracleRow, error) {
	if !json.Valid(text) {
		return nil, errRefused
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	root, err := parseValue(dec, 0)
	if err != nil {
		return nil, err
	}
	members, ok := root.([]member)
	if !ok {
		return nil, errRefused
	}
	row := &oracleRow{stage: "production", status: "ok", weight: 1, ts: math.MinInt64,
		numbers: map[string]float64{}, categories: map[string]string{}, segments: map[string]string{}, nulls: map[string]bool{}}
	seen := map[string]bool{}
	for _, m := range members {
		known, err := row.set(m, limits)
		if err != nil || known && seen[m.key] {
			return nil, errRefused
		}
		seen[m.key] = true
	}
	row.doubt()
	if row.id == "" || row.model == "" || row.deploy == "" || row.ts == math.MinInt64 {
		return nil, errRefused
	}
	if row.ts < known-limits.MaxAge.Milliseconds() || row.ts > known+limits.MaxAhead.Milliseconds() || row.ts < earliestKnown {
		return nil, errRefused
	}
	return row, nil
}

func (row *oracleRow) set(m member, limits Limits) (known bool, err error) {
	name := func(into *string, otherwise string) error {
		s, ok := m.value.(string)
		if m.value != nil && !ok || len(s) > maxName {
			return errRefused
		}
		if s == "" {
			s = otherwise
		}
		*into = s
		return nil
	}
	number := func(into **float64) error {
		v, ok := m.value.(float64)
		if m.value != nil && !ok {
			return errRefused
		}
		if ok {
			*into = &v
		}
		return nil
	}
	if m.key != "predicted" && m.key != "votes" {
		m.value = measured(m.value)
	}
	switch m.key {
	case "prediction_id":
		return true, name(&row.id, "")
	case "model":
		return true, name(&row.model, "")
	case "deploy_hash":
		return true, name(&row.deploy, "")
	case "status":
		if m.value == "" {
			return true, errRefused
		}
		return true, name(&row.status, "ok")
	case "stage":
		if m.value == "" {
			return true, errRefused
		}
		err := name(&row.stage, "production")
		if !strings.Contains(" production canary shadow training ", " "+row.stage+" ") {
			err = errRefused
		}
		return true, err
	case "score":
		return true, number(&row.score)
	case "latency_ms":
		return true, number(&row.latency)
	case "weight":
		var w *float64
		err := number(&w)
		if w != nil {
			row.weight = *w
			if *w <= 0 {
				err = errRefused
			}
		}
		return true, err
	case "propensity":
		err := number(&row.propensity)
		if p := row.propensity; p != nil && !(*p >= 1e-9 && *p <= 1) {
			err = errRefused
		}
		return true, err
	case "votes", "scores", "disagreement", "explained", "explanation":
		return true, row.setDoubt(m)
	case "predicted":
		switch v := m.value.(type) {
		case float64:
			row.value = &v
		case bool:
			row.predicted = map[bool]string{true: "true", false: "false"}[v]
		case []member, []any, largeWhole:
			return true, errRefused
		default:
			if v == "" {
				return true, errRefused
			}
			return true, name(&row.predicted, "")
		}
		return true, nil
	case "ts":
		return true, row.setTime(m.value)
	case "features":
		return true, row.setFeatures(m.value, limits)
	case "segments":
		return true, row.setSegments(m.value)
	}
	return false, nil
}

func (row *oracleRow) setTime(value any) error {
	switch v := value.(type) {
	case float64:
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return errRefused
		}
		row.ts = int64(v)
		return nil
	case string:
		t, err := time.Parse(time.RFC3339Nano, v)
		row.ts = t.UnixMilli()
		return err
	}
	return errRefused
}

func (row *oracleRow) setFeatures(value any, limits Limits) error {
	members, ok := value.([]member)
	if value != nil && !ok || len(members) > limits.MaxFeatures {
		return errRefused
	}
	seen := map[string]bool{}
	for _, f := range members {
		if seen[f.key] || f.key == "" || len(f.key) > maxName {
			return errRefused
		}
		seen[f.key] = true
		switch v := f.value.(type) {
		case float64:
			row.numbers[f.key] = v
		case string:
			row.categories[f.key] = v
		case bool:
			row.categories[f.key] = map[bool]string{true: "true", false: "false"}[v]
		case nil:
			row.nulls[f.key] = true
		default:
			return errRefused
		}
	}
	return nil
}

func (row *oracleRow) setSegments(value any) error {
	members, ok := value.([]member)
	if value != nil && !ok || len(members) > maxSegments {
		return errRefused
	}
	seen := map[string]bool{}
	for _, f := range members {
		if seen[f.key] || f.key == "" || len(f.key) > maxName {
			return errRefused
		}
		seen[f.key] = true
		switch v := f.value.(type) {
		case string:
			if len(v) > maxName {
				return errRefused
			}
			row.segments[f.key] = v
		case bool:
			row.segments[f.key] = map[bool]string{true: "true", false: "false"}[v]
		case float64:
			row.segments[f.key] = "number" // kept as written: the text is not compared
		case nil:
		default:
			return errRefused
		}
	}
	return nil
}

// strangeText reports whether a document holds what the two decoders rightly
// disagree on: encoding/json repairs bad UTF-8 and lone surrogates and accepts
// NULs, this package refuses them.
func strangeText(text []byte) bool {
	lower := bytes.ToLower(text)
	return !utf8.Valid(text) || bytes.Contains(lower, []byte(`\ud`)) || bytes.Contains(lower, []byte(`\u0000`)) || bytes.IndexByte(text, 0) >= 0
}

// FuzzPrediction compares the scanner with the oracle: the same documents are
// accepted, with the same values, and a refused one leaves its neighbours be.
func FuzzPrediction(f *testing.F) {
	for _, seed := range seeds() {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) { againstOracle(t, text) })
}

// againstOracle decodes text between two neighbours, compares with the oracle
// and reports whether it was stored.
func againstOracle(t *testing.T, text []byte) bool {
	t.Helper()
	limits := DefaultLimits()
	limits.MaxFeatures = 20
	neighbour := []byte(`{"prediction_id":"n","model":"m","deploy_hash":"d","ts":1790000000000,"features":{"a":1,"b":"x","c":null},"segments":{"s":"t"}}`)
	p := NewJSONPredictions(limits)
	if err := p.Append(Record{Offset: 1, Known: testKnown, Value: neighbour}); err != nil {
		t.Fatal(err)
	}
	err := p.Append(Record{Offset: 2, Known: testKnown, Value: text})
	want, wantErr := oracle(text, limits, testKnown)
	if strangeText(text) || bytes.Contains(text, []byte("NaN")) || bytes.Contains(text, []byte("Infinity")) {
		wantErr, want = err, nil
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("%q: scanner says %v, encoding/json says %v", text, err, wantErr)
	}
	rows := 2
	if err != nil {
		rows = 1
	} else if want != nil {
		compareRow(t, p.Predictions, 1, want)
	}
	if err := p.Append(Record{Offset: 3, Known: testKnown, Value: neighbour}); err != nil {
		t.Fatal(err)
	}
	if p.Len() != rows+1 {
		t.Fatalf("%d rows, want %d", p.Len(), rows+1)
	}
	same, _ := oracle(neighbour, limits, testKnown)
	compareRow(t, p.Predictions, 0, same)
	compareRow(t, p.Predictions, rows, same)
	return err == nil
}

func compareRow(t *testing.T, p *Predictions, i int, want *oracleRow) {
	t.Helper()
	got := readRow(p, i)
	for k, v := range got.segments {
		if want.segments[k] == "number" {
			got.segments[k] = "number"
		}
		_ = v
	}
	g, w := asText(t, got), asText(t, want)
	if g != w {
		t.Fatalf("row %d\n got %s\nwant %s", i, g, w)
	}
}

func asText(t *testing.T, r *oracleRow) string {
	t.Helper()
	all := []any{r.id, r.model, r.deploy, r.stage, r.predicted, r.status, r.ts, r.score, r.value, r.latency, r.weight, r.numbers, r.categories, r.segments, r.nulls}
	if r.propensity != nil {
		all = append(all, *r.propensity)
	}
	if r.disagreement != nil {
		all = append(all, "disagreement", *r.disagreement)
	}
	if r.explained != nil {
		all = append(all, "explained", *r.explained)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readRow(p *Predictions, i int) *oracleRow {
	r := &oracleRow{
		id: string(p.ID.At(i)), model: string(p.Model.At(i)), deploy: string(p.Deploy.At(i)), stage: string(p.Stage.At(i)),
		predicted: string(p.Predicted.At(i)), status: string(p.Status.At(i)), ts: p.TS[i], weight: p.Weight[i],
		score: floatAt(&p.Score, i), value: floatAt(&p.PredictedValue, i), latency: floatAt(&p.Latency, i),
		propensity: floatAt(&p.Propensity, i), disagreement: floatAt(&p.Disagreement, i), explained: floatAt(&p.Explained, i),
		numbers: map[string]float64{}, categories: map[string]string{}, segments: map[string]string{}, nulls: map[string]bool{},
	}
	from, to := p.Numbers.Row(i)
	for k := from; k < to; k++ {
		r.numbers[string(p.Features.Value(p.Numbers.Keys[k]))] = p.NumberValues[k]
	}
	from, to = p.Categories.Row(i)
	for k := from; k < to; k++ {
		r.categories[string(p.Features.Value(p.Categories.Keys[k]))] = string(p.Values.Value(p.CategoryValues[k]))
	}
	from, to = p.Nulls.Row(i)
	for k := from; k < to; k++ {
		r.nulls[string(p.Features.Value(p.Nulls.Keys[k]))] = true
	}
	from, to = p.Segments.Row(i)
	for k := from; k < to; k++ {
		r.segments[string(p.SegmentKeys.Value(p.Segments.Keys[k]))] = string(p.SegmentTexts.Value(p.SegmentValues[k]))
	}
	return r
}

func floatAt(f *Floats, i int) *float64 {
	if v, ok := f.At(i); ok {
		return &v
	}
	return nil
}
