package decode

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// arrowShape is a way to write the same events as an Arrow stream.
type arrowShape struct {
	name       string
	group      string // "" for columns named features.x, "struct" or "map"
	dictionary bool
	large      bool
	unit       string // "", int64; else a unit of a timestamp
	batches    int
	options    []ipc.Option
}

func arrowShapes() []arrowShape {
	return []arrowShape{
		{name: "columns", batches: 1},
		{name: "dictionaries", dictionary: true, batches: 3, unit: "us"},
		{name: "deltas", dictionary: true, batches: 3, unit: "ns", options: []ipc.Option{ipc.WithDictionaryDeltas(true)}},
		{name: "large text", large: true, batches: 2, unit: "ms"},
		{name: "struct", group: "struct", batches: 2},
		{name: "struct of dictionaries", group: "struct", dictionary: true, batches: 1},
		{name: "map", group: "map", batches: 2},
		{name: "map of dictionaries", group: "map", dictionary: true, batches: 1},
		{name: "lz4", dictionary: true, batches: 2, options: []ipc.Option{ipc.WithLZ4()}},
		{name: "zstd", batches: 2, options: []ipc.Option{ipc.WithZstd()}},
	}
}

// arrowEvent is an event as its producer has it: a value that is nil is null.
type arrowEvent struct {
	plain    map[string]any // by column
	features map[string]any // by name; map shapes keep only numbers
	segments map[string]any
	noGroups bool // features and segments are null as a whole
}

// arrowNumbers and so on are the features of arrowEvent, by type.
var (
	arrowNumbers = []string{"distance", "hour", "überlang"}
	arrowTexts   = []string{"origin", "carrier"}
	arrowSlices  = []string{"region", "tenant"}
)

func randomArrowEvent(r *rand.Rand, i int, nulls bool) arrowEvent {
	maybe := func(v any) any {
		if nulls && r.IntN(4) == 0 {
			return nil
		}
		return v
	}
	e := arrowEvent{
		plain: map[string]any{
			"prediction_id": fmt.Sprintf("p%d", i), "model": fmt.Sprintf("m%d", r.IntN(3)), "deploy_hash": fmt.Sprintf("d%d", r.IntN(2)),
			"stage": maybe([]string{"production", "canary", "shadow"}[r.IntN(3)]), "ts": int64(testKnown - r.IntN(1e6)),
			"score": maybe(r.Float64()), "predicted": maybe([]string{"late", "punctual", "é"}[r.IntN(3)]),
			"latency_ms": maybe(float64(r.IntN(100))), "status": maybe("error"), "weight": maybe(1 + r.Float64()),
			"propensity": maybe(1 - r.Float64()), "disagreement": maybe(r.Float64()), "explained": maybe(r.IntN(2) == 0),
		},
		features: map[string]any{"late": maybe(r.IntN(2) == 0)},
		segments: map[string]any{},
		noGroups: nulls && r.IntN(9) == 0,
	}
	for _, name := range arrowNumbers {
		e.features[name] = maybe(r.NormFloat64())
	}
	for _, name := range arrowTexts {
		e.features[name] = maybe(fmt.Sprintf("%s%d", name, r.IntN(5)))
	}
	for _, name := range arrowSlices {
		e.segments[name] = maybe(fmt.Sprint(r.IntN(4)))
	}
	return e
}

// spoil makes an event one that is refused, in one of several ways.
func (e arrowEvent) spoil(how int) {
	switch how {
	case 0:
		e.plain["prediction_id"] = ""
	case 1:
		e.plain["model"] = nil
	case 2:
		e.plain["deploy_hash"] = strings.Repeat("x", 257)
	case 3:
		e.plain["stage"] = "test"
	case 4:
		e.plain["ts"] = int64(1)
	case 5:
		e.plain["weight"] = -1.0
	case 6:
		e.plain["status"] = "a\x00b"
	case 7:
		e.plain["predicted"] = "\xff"
	case 8:
		e.plain["ts"] = int64(testKnown + 7_200_000)
	case 9:
		e.plain["stage"] = ""
	case 10:
		e.plain["status"] = ""
	case 11:
		e.plain["predicted"] = ""
	}
}

const spoils = 12

// json is the event as our own JSON. Shapes that are given up in part lose the
// same here.
func (e arrowEvent) json(t testing.TB, shape arrowShape) []byte {
	t.Helper()
	fields := map[string]any{}
	for k, v := range e.plain {
		fields[k] = v
	}
	features, segments := map[string]any{}, map[string]any{}
	for k, v := range e.features {
		if _, number := v.(float64); shape.group != "map" || number || v == nil && contains(arrowNumbers, k) {
			features[k] = v
		}
	}
	for k, v := range e.segments {
		segments[k] = v
	}
	fields["features"], fields["segments"] = features, segments
	if e.noGroups && shape.group != "" {
		fields["features"], fields["segments"] = nil, nil
	}
	text, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(text, []byte(`\ufffd`), []byte("\xff"))
}

func contains(all []string, s string) bool {
	for _, a := range all {
		if a == s {
			return true
		}
	}
	return false
}

func (s arrowShape) text() arrow.DataType {
	switch {
	case s.dictionary:
		return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint16, ValueType: arrow.BinaryTypes.String}
	case s.large:
		return arrow.BinaryTypes.LargeString
	}
	return arrow.BinaryTypes.String
}

func (s arrowShape) schema() *arrow.Schema {
	var time arrow.DataType = arrow.PrimitiveTypes.Int64
	if s.unit != "" {
		time = &arrow.TimestampType{Unit: map[string]arrow.TimeUnit{"ms": arrow.Millisecond, "us": arrow.Microsecond, "ns": arrow.Nanosecond}[s.unit], TimeZone: "Europe/Berlin"}
	}
	var id arrow.DataType = arrow.BinaryTypes.String
	if s.large {
		id = arrow.BinaryTypes.LargeString
	}
	fields := []arrow.Field{
		{Name: "extra", Type: arrow.ListOf(arrow.StructOf(arrow.Field{Name: "x", Type: s.text(), Nullable: true})), Nullable: true},
		{Name: "prediction_id", Type: id, Nullable: true}, {Name: "model", Type: s.text(), Nullable: true},
		{Name: "deploy_hash", Type: s.text(), Nullable: true}, {Name: "stage", Type: s.text(), Nullable: true},
		{Name: "ts", Type: time, Nullable: true}, {Name: "score", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "predicted", Type: s.text(), Nullable: true}, {Name: "latency_ms", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
		{Name: "status", Type: s.text(), Nullable: true}, {Name: "weight", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "propensity", Type: arrow.PrimitiveTypes.Float64, Nullable: true}, {Name: "disagreement", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
		{Name: "explained", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
	}
	var features, segments []arrow.Field
	for _, name := range arrowNumbers {
		features = append(features, arrow.Field{Name: name, Type: arrow.PrimitiveTypes.Float64, Nullable: true})
	}
	for _, name := range arrowTexts {
		features = append(features, arrow.Field{Name: name, Type: s.text(), Nullable: true})
	}
	features = append(features, arrow.Field{Name: "late", Type: arrow.FixedWidthTypes.Boolean, Nullable: true})
	for _, name := range arrowSlices {
		segments = append(segments, arrow.Field{Name: name, Type: s.text(), Nullable: true})
	}
	switch s.group {
	case "struct":
		fields = append(fields, arrow.Field{Name: "features", Type: arrow.StructOf(features...), Nullable: true}, arrow.Field{Name: "segments", Type: arrow.StructOf(segments...), Nullable: true})
	case "map":
		fields = append(fields, arrow.Field{Name: "features", Type: arrow.MapOf(arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64), Nullable: true}, arrow.Field{Name: "segments", Type: arrow.MapOf(s.text(), s.text()), Nullable: true})
	default:
		for _, f := range features {
			fields = append(fields, arrow.Field{Name: "features." + f.Name, Type: f.Type, Nullable: true})
		}
		for _, f := range segments {
			fields = append(fields, arrow.Field{Name: "segments." + f.Name, Type: f.Type, Nullable: true})
		}
	}
	return arrow.NewSchema(append(fields, arrow.Field{Name: "nothing", Type: arrow.Null, Nullable: true}), nil)
}

// stream writes events as a stream with arrow-go.
func (s arrowShape) stream(t testing.TB, events []arrowEvent) []byte {
	t.Helper()
	schema := s.schema()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, append([]ipc.Option{ipc.WithSchema(schema)}, s.options...)...)
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for i := range s.batches {
		for _, e := range events[i*len(events)/s.batches : (i+1)*len(events)/s.batches] {
			for k, f := range schema.Fields() {
				appendArrow(builder.Field(k), e, f.Name)
			}
		}
		rec := builder.NewRecord()
		if err := w.Write(rec); err != nil {
			t.Fatal(err)
		}
		rec.Release()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func appendArrow(b array.Builder, e arrowEvent, name string) {
	values, group := e.features, "features"
	if strings.HasPrefix(name, "segments") {
		values, group = e.segments, "segments"
	}
	switch t := b.(type) {
	case *array.ListBuilder:
		t.Append(true)
		items := t.ValueBuilder().(*array.StructBuilder)
		items.Append(true)
		appendAny(items.FieldBuilder(0), "x")
	case *array.StructBuilder:
		t.Append(!e.noGroups)
		if e.noGroups {
			return
		}
		for i, f := range t.Type().(*arrow.StructType).Fields() {
			appendAny(t.FieldBuilder(i), values[f.Name])
		}
	case *array.MapBuilder:
		if e.noGroups {
			t.AppendNull()
			return
		}
		t.Append(true)
		names := arrowNumbers
		if group == "segments" {
			names = arrowSlices
		}
		for _, k := range names {
			appendAny(t.KeyBuilder(), k)
			appendAny(t.ItemBuilder(), values[k])
		}
	default:
		if short, ok := strings.CutPrefix(name, group+"."); ok {
			appendAny(b, values[short])
			return
		}
		appendAny(b, e.plain[name])
	}
}

func appendAny(b array.Builder, v any) {
	if v == nil {
		b.AppendNull()
		return
	}
	switch t := b.(type) {
	case *array.StringBuilder:
		t.Append(v.(string))
	case *array.LargeStringBuilder:
		t.Append(v.(string))
	case *array.BinaryDictionaryBuilder:
		if err := t.AppendString(v.(string)); err != nil {
			panic(err)
		}
	case *array.Int64Builder:
		t.Append(v.(int64))
	case *array.TimestampBuilder:
		scale := map[arrow.TimeUnit]int64{arrow.Millisecond: 1, arrow.Microsecond: 1e3, arrow.Nanosecond: 1e6}[t.Type().(*arrow.TimestampType).Unit]
		t.Append(arrow.Timestamp(v.(int64)*scale + scale/2))
	case *array.Float64Builder:
		t.Append(v.(float64))
	case *array.Float32Builder:
		t.Append(float32(v.(float64)))
	case *array.BooleanBuilder:
		t.Append(v.(bool))
	case *array.NullBuilder:
		t.AppendNull()
	}
}

// refusalOf is what the JSON decoder says of an event alone.
func refusalOf(t testing.TB, into *JSONPredictions, text []byte) *Error {
	t.Helper()
	err := into.Append(Record{Offset: 7, Known: testKnown, Value: text})
	if err == nil {
		return nil
	}
	var refused *Error
	if !errors.As(err, &refused) {
		t.Fatal(err)
	}
	return refused
}

// An Arrow stream gives the rows, and the refusals, that its events give as JSON.
func TestArrowIsAsJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 5))
	for _, shape := range arrowShapes() {
		for round := range 40 {
			var events []arrowEvent
			for i := range 1 + r.IntN(60) {
				e := randomArrowEvent(r, i, round%2 == 1)
				if round%4 >= 2 && r.IntN(5) == 0 {
					e.spoil(r.IntN(spoils))
				}
				events = append(events, e)
			}
			compareWithJSON(t, shape, events)
		}
	}
}

func compareWithJSON(t *testing.T, shape arrowShape, events []arrowEvent) {
	t.Helper()
	want := NewJSONPredictions(DefaultLimits())
	refused := map[int]*Error{}
	for i, e := range events {
		if err := refusalOf(t, want, e.json(t, shape)); err != nil {
			refused[i] = err
		}
	}
	got := newArrowPredictions(Source{}, NewPredictions(DefaultLimits()))
	err := got.Append(Record{Offset: 7, Known: testKnown, Value: shape.stream(t, events)})
	var some *Refusals
	var whole *Error
	switch {
	case errors.As(err, &whole):
		if len(refused) != len(events) || whole.Reason != refused[0].Reason || got.Len() != 0 || got.Features.Len() != 0 {
			t.Fatalf("%s: %v, while JSON refuses %d of %d", shape.name, err, len(refused), len(events))
		}
		return
	case errors.As(err, &some):
		compareRefusals(t, shape, some, refused)
	case err != nil || len(refused) > 0:
		t.Fatalf("%s: %v, while JSON refuses %d", shape.name, err, len(refused))
	}
	if got.Len() != want.Len() || got.Unknown != 2 {
		t.Fatalf("%s: %d rows, want %d; %d unknown columns, want 2", shape.name, got.Len(), want.Len(), got.Unknown)
	}
	for i := range want.Len() {
		if g, w := asText(t, readRow(got.Predictions, i)), asText(t, readRow(want.Predictions, i)); g != w {
			t.Fatalf("%s: row %d\n got %s\nwant %s", shape.name, i, g, w)
		}
		if got.Source.Known[i] != testKnown || got.Source.Offset[i] != 7 {
			t.Fatalf("%s: row %d is of %d at %d", shape.name, i, got.Source.Offset[i], got.Source.Known[i])
		}
	}
}

func compareRefusals(t *testing.T, shape arrowShape, some *Refusals, want map[int]*Error) {
	t.Helper()
	if len(some.Events) != len(want) {
		t.Fatalf("%s: %d refusals, JSON has %d", shape.name, len(some.Events), len(want))
	}
	for _, r := range some.Events {
		w := want[r.Index]
		if w == nil || r.Reason != w.Reason || r.Field != w.Field || r.Hint == "" {
			t.Fatalf("%s: row %d is refused with %v, as JSON with %v", shape.name, r.Index, r.Error, w)
		}
		again := newArrowPredictions(Source{}, NewPredictions(DefaultLimits()))
		err := again.Append(Record{Known: testKnown, Value: r.Value})
		var alone *Error
		if !errors.As(err, &alone) || alone.Reason != r.Reason || alone.Field != r.Field {
			t.Fatalf("%s: row %d alone: %v, want %v", shape.name, r.Index, err, r.Error)
		}
	}
}

// flights writes n events of 20 numbers and 3 categories as one stream.
func flights(t testing.TB, n int, options ...ipc.Option) []byte {
	t.Helper()
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	fields := []arrow.Field{{Name: "prediction_id", Type: arrow.BinaryTypes.String}}
	for _, name := range []string{"model", "deploy_hash", "stage", "predicted", "status"} {
		fields = append(fields, arrow.Field{Name: name, Type: dictionary})
	}
	fields = append(fields, arrow.Field{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "UTC"}},
		arrow.Field{Name: "score", Type: arrow.PrimitiveTypes.Float64}, arrow.Field{Name: "latency_ms", Type: arrow.PrimitiveTypes.Float64})
	for i := range 20 {
		fields = append(fields, arrow.Field{Name: fmt.Sprintf("features.feature_%02d", i), Type: arrow.PrimitiveTypes.Float64})
	}
	for _, name := range []string{"origin", "destination", "carrier"} {
		fields = append(fields, arrow.Field{Name: "features." + name, Type: dictionary})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i := range n {
		values := []any{fmt.Sprintf("9f86d081-884c-7d65-9a2f-%012d", i), "flight-delay", "3f9c2d71", "production", "late", "ok", int64(testKnown - i%60_000), float64(i%10_000) / 10_000, 12.5}
		for f := range 20 {
			values = append(values, float64(i*(f+3)%10_000)/7)
		}
		values = append(values, fmt.Sprintf("A%02d", i%50), fmt.Sprintf("B%02d", i%37), fmt.Sprintf("C%d", i%9))
		for k, v := range values {
			if ts, ok := b.Field(k).(*array.TimestampBuilder); ok {
				ts.Append(arrow.Timestamp(v.(int64)))
				continue
			}
			appendAny(b.Field(k), v)
		}
	}
	rec := b.NewRecord()
	defer rec.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, append([]ipc.Option{ipc.WithSchema(schema)}, options...)...)
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func BenchmarkDecodeArrow(b *testing.B) {
	for _, rows := range []int{1, 100, 1000} {
		b.Run(fmt.Sprint(rows), func(b *testing.B) {
			stream := flights(b, rows)
			a := newArrowPredictions(Source{}, NewPredictions(DefaultLimits()))
			b.ReportAllocs()
			n, begun := 0, cpuSeconds(b)
			for b.Loop() {
				if n%60_000 == 0 {
					a.Reset()
				}
				if err := a.Append(Record{Offset: int64(n), Known: testKnown, Value: stream}); err != nil {
					b.Fatal(err)
				}
				n += rows
			}
			b.ReportMetric(float64(n)/(cpuSeconds(b)-begun), "events/cpu-s")
		})
	}
}
