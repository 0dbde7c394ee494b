package decode

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/ipc"
	"github.com/apache/arrow/go/v17/arrow/memory"
)

// column is one column of a stream and its rows.
type column struct {
	name string
	typ  arrow.DataType
	rows []string // as arrow's AppendValueFromString reads them
}

// streamOf writes columns as a stream.
func streamOf(t testing.TB, columns ...column) []byte {
	t.Helper()
	var fields []arrow.Field
	for _, c := range columns {
		fields = append(fields, arrow.Field{Name: c.name, Type: c.typ, Nullable: true})
	}
	schema := arrow.NewSchema(fields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, c := range columns {
		for _, row := range c.rows {
			if err := b.Field(i).AppendValueFromString(row); err != nil {
				t.Fatal(err)
			}
		}
	}
	rec := b.NewRecord()
	defer rec.Release()
	var out bytes.Buffer
	w := ipc.NewWriter(&out, ipc.WithSchema(schema))
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const null = array.NullValueStr

func texts(name string, rows ...string) column { return column{name, arrow.BinaryTypes.String, rows} }

func at(rows int) column {
	return column{"ts", arrow.PrimitiveTypes.Int64, slices.Repeat([]string{fmt.Sprint(testKnown)}, rows)}
}

// Texts of which all are empty are no nulls, also where compression leaves
// nothing of them.
func TestArrowEmptyTexts(t *testing.T) {
	for _, field := range []string{"stage", "status", "predicted"} {
		for _, typ := range []arrow.DataType{
			arrow.BinaryTypes.String, arrow.BinaryTypes.LargeString, arrow.BinaryTypes.StringView,
			&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String},
		} {
			p := NewPredictions(DefaultLimits())
			d := newArrowPredictions(Source{Model: "m", Deploy: "d"}, p)
			err := d.Append(Record{Known: testKnown, Value: streamOf(t, texts("prediction_id", "a", "b"), at(2), column{field, typ, []string{"", ""}})})
			if reason, at := reasonOf(err); reason != BadValue || at != field || p.Len() != 0 {
				t.Errorf("%s of %s: %v, %d rows", field, typ, err, p.Len())
			}
		}
	}
}

func TestArrowLabels(t *testing.T) {
	stream := streamOf(t, texts("prediction_id", "a", "", "c", "d"), at(4), texts("label", "late", "late", null, ""))
	l := NewLabels(DefaultLimits())
	d := newArrowLabels(Source{Model: "m"}, l)
	err := d.Append(Record{Known: testKnown, Offset: 3, Value: stream})
	var some *Refusals
	if !errors.As(err, &some) || len(some.Events) != 2 || some.Events[0].Reason != MissingField || some.Events[1].Field != "label" || some.Events[1].Index != 3 {
		t.Fatalf("%v", err)
	}
	if l.Len() != 2 || string(l.ID.At(1)) != "c" || string(l.Model.At(0)) != "m" || string(l.Class.At(0)) != "late" || fmt.Sprint(l.Deleted) != "[0 1]" || l.Source.Offset[1] != 3 {
		t.Errorf("%+v", l)
	}
	for name, c := range map[string]column{
		"numbers": {"label", arrow.PrimitiveTypes.Int32, []string{"7"}}, "booleans": {"label", arrow.FixedWidthTypes.Boolean, []string{"true"}},
	} {
		l.Reset()
		if err := d.Append(Record{Known: testKnown, Value: streamOf(t, texts("prediction_id", "a"), at(1), c)}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v, ok := l.Value.At(0); ok && v != 7 || !ok && string(l.Class.At(0)) != "true" {
			t.Errorf("%s: %v %q", name, v, l.Class.At(0))
		}
	}
}

func TestArrowDeployments(t *testing.T) {
	stream := streamOf(t, texts("model", "m", "m"), texts("deploy_hash", "d1", null), texts("stage", "canary", null), at(2), texts("note", "n", null), texts("by", null, "b"))
	d := NewDeployments(DefaultLimits())
	err := newArrowDeployments(Source{}, d).Append(Record{Known: testKnown, Value: stream})
	var some *Refusals
	if !errors.As(err, &some) || len(some.Events) != 1 || some.Events[0].Index != 1 || some.Events[0].Field != "deploy_hash" {
		t.Fatalf("%v", err)
	}
	if d.Len() != 1 || string(d.Stage.At(0)) != "canary" || string(d.Note.At(0)) != "n" || len(d.By.At(0)) != 0 {
		t.Errorf("%+v", d)
	}
}

// Columns of every type that a number or a class may have.
func TestArrowTypes(t *testing.T) {
	types := []column{
		{"features.i8", arrow.PrimitiveTypes.Int8, []string{"-5"}}, {"features.u8", arrow.PrimitiveTypes.Uint8, []string{"250"}},
		{"features.i16", arrow.PrimitiveTypes.Int16, []string{"-300"}}, {"features.u16", arrow.PrimitiveTypes.Uint16, []string{"65000"}},
		{"features.i32", arrow.PrimitiveTypes.Int32, []string{"-70000"}}, {"features.u32", arrow.PrimitiveTypes.Uint32, []string{"4000000000"}},
		{"features.i64", arrow.PrimitiveTypes.Int64, []string{"-9007199254740993"}}, {"features.u64", arrow.PrimitiveTypes.Uint64, []string{"18446744073709551615"}},
		{"features.f16", arrow.FixedWidthTypes.Float16, []string{"0.5"}}, {"features.f32", arrow.PrimitiveTypes.Float32, []string{"0.25"}},
		{"features.nan", arrow.PrimitiveTypes.Float64, []string{"NaN"}}, {"features.inf", arrow.PrimitiveTypes.Float32, []string{"-Inf"}},
		{"features.yes", arrow.FixedWidthTypes.Boolean, []string{"true"}}, {"features.none", arrow.Null, []string{null}},
		{"features.long", arrow.BinaryTypes.LargeString, []string{"text"}}, {"features.view", arrow.BinaryTypes.StringView, []string{"a text that is longer than a view holds"}},
		{"segments.i", arrow.PrimitiveTypes.Int16, []string{"-7"}}, {"segments.f", arrow.PrimitiveTypes.Float32, []string{"0.1"}}, {"segments.b", arrow.FixedWidthTypes.Boolean, []string{"false"}},
	}
	p := NewPredictions(DefaultLimits())
	d := newArrowPredictions(Source{Model: "m", Deploy: "d", Stage: "shadow"}, p)
	if err := d.Append(Record{Known: testKnown, Value: streamOf(t, append(types, texts("prediction_id", "a"), at(1))...)}); err != nil {
		t.Fatal(err)
	}
	r := readRow(p, 0)
	for name, want := range map[string]float64{"i8": -5, "u8": 250, "i16": -300, "u16": 65000, "i32": -70000, "u32": 4e9, "i64": -9007199254740992, "u64": 18446744073709551616, "f16": 0.5, "f32": 0.25, "inf": math.Inf(-1)} {
		if got, ok := r.numbers[name]; !ok || got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if v, ok := r.numbers["nan"]; !ok || !math.IsNaN(v) {
		t.Errorf("NaN became %v (%t)", v, ok)
	}
	if fmt.Sprint(r.categories) != "map[long:text view:a text that is longer than a view holds yes:true]" || fmt.Sprint(r.nulls) != "map[none:true]" {
		t.Errorf("categories %v, nulls %v", r.categories, r.nulls)
	}
	if fmt.Sprint(r.segments) != "map[b:false f:0.1 i:-7]" || r.model != "m" || r.deploy != "d" || r.stage != "shadow" {
		t.Errorf("%+v", r)
	}
}

func TestHalfFloats(t *testing.T) {
	for bits, want := range map[uint16]float64{0: 0, 0x3C00: 1, 0xC000: -2, 0x7BFF: 65504, 0x0400: math.Ldexp(1, -14), 1: math.Ldexp(1, -24), 0x03FF: math.Ldexp(1023, -24), 0x7C00: math.Inf(1), 0xFC00: math.Inf(-1), 0x3555: 0.333251953125} {
		if got := half(bits); got != want {
			t.Errorf("%#x is %v, want %v", bits, got, want)
		}
	}
	if !math.IsNaN(half(0x7E00)) {
		t.Error("not a number is one")
	}
}

// A stream that cannot be events is refused as a whole, and says why.
func TestArrowWholeRefusals(t *testing.T) {
	id, deploy, model := texts("prediction_id", "a"), texts("deploy_hash", "d"), texts("model", "m")
	limits := DefaultLimits()
	limits.MaxFeatures = 2
	feature := func(name string) column {
		return column{"features." + name, arrow.PrimitiveTypes.Float64, []string{"1"}}
	}
	good := streamOf(t, id, deploy, model, at(1))
	tests := map[string]struct {
		stream []byte
		reason Reason
		field  string
	}{
		"empty":             {nil, Unparsable, ""},
		"JSON":              {[]byte(event("")), Unparsable, ""},
		"a file":            {[]byte("ARROW1\x00\x00" + strings.Repeat("x", 100)), Unparsable, ""},
		"cut":               {good[:len(good)-20], Unparsable, ""},
		"followed":          {append(bytes.Clone(good), 'x'), Unparsable, ""},
		"two streams":       {append(bytes.Clone(good), good...), Unparsable, ""},
		"no id":             {streamOf(t, deploy, model, at(1)), MissingField, "prediction_id"},
		"no model":          {streamOf(t, id, deploy, at(1)), MissingField, "model"},
		"no deploy":         {streamOf(t, id, model, at(1)), MissingField, "deploy_hash"},
		"no time":           {streamOf(t, id, deploy, model), MissingField, "ts"},
		"number for id":     {streamOf(t, column{"prediction_id", arrow.PrimitiveTypes.Int64, []string{"1"}}, deploy, model, at(1)), WrongType, "prediction_id"},
		"text for score":    {streamOf(t, id, deploy, model, at(1), texts("score", "1")), WrongType, "score"},
		"time without zone": {streamOf(t, id, deploy, model, column{"ts", &arrow.TimestampType{Unit: arrow.Second}, []string{"2026-09-21"}}), WrongType, "ts"},
		"date":              {streamOf(t, id, deploy, model, column{"ts", arrow.FixedWidthTypes.Date32, []string{"2026-09-21"}}), WrongType, "ts"},
		"id twice":          {streamOf(t, id, id, deploy, model, at(1)), DuplicateKey, "prediction_id"},
		"feature twice":     {streamOf(t, id, deploy, model, at(1), feature("x"), feature("x")), DuplicateKey, "features.x"},
		"unnamed feature":   {streamOf(t, id, deploy, model, at(1), feature("")), BadValue, "features."},
		"bytes as feature":  {streamOf(t, id, deploy, model, at(1), column{"features.b", arrow.BinaryTypes.Binary, []string{"eA=="}}), WrongType, "features.b"},
		"list as feature":   {streamOf(t, id, deploy, model, at(1), column{"features.l", arrow.ListOf(arrow.PrimitiveTypes.Int8), []string{"[1]"}}), TooNested, "features.l"},
		"features as text":  {streamOf(t, id, deploy, model, at(1), texts("features", "{}")), WrongType, "features"},
		"many features":     {streamOf(t, id, deploy, model, at(1), feature("x"), feature("y"), feature("z")), TooManyFeatures, "features"},
		"all rows refused":  {streamOf(t, texts("prediction_id", "", ""), texts("deploy_hash", "d", "d"), texts("model", "m", "m"), at(2)), MissingField, "prediction_id"},
	}
	for name, tt := range tests {
		p := NewPredictions(limits)
		err := newArrowPredictions(Source{}, p).Append(Record{Known: testKnown, Value: tt.stream})
		var refused *Error
		if !errors.As(err, &refused) || refused.Reason != tt.reason || refused.Field != tt.field || refused.Hint == "" {
			t.Errorf("%s: %v, want %s of %q", name, err, tt.reason, tt.field)
		}
		if p.Len() != 0 || p.Features.Len() != 0 || p.Tally != (Tally{}) {
			t.Errorf("%s: the columns have changed", name)
		}
	}
	p := NewPredictions(limits)
	if err := newArrowPredictions(Source{}, p).Append(Record{Known: testKnown, Value: streamOf(t, texts("prediction_id"), texts("deploy_hash"), texts("model"), at(0))}); err != nil || p.Skipped != 1 || p.Len() != 0 {
		t.Errorf("a stream without rows: %v, %d skipped", err, p.Skipped)
	}
}

// A record with very many bad rows does not grow into as many streams.
func TestManyRefusedArrowRows(t *testing.T) {
	const n = 20_000
	ids := slices.Repeat([]string{""}, n)
	ids[n/2] = "good"
	p := NewPredictions(DefaultLimits())
	d := newArrowPredictions(Source{Model: "m", Deploy: "d"}, p)
	err := d.Append(Record{Known: testKnown, Value: streamOf(t, texts("prediction_id", ids...), at(n))})
	var some *Refusals
	if !errors.As(err, &some) || p.Len() != 1 || len(some.Events) < aloneRefusals || len(some.Events) > 2*aloneRefusals {
		t.Fatalf("%d rows, %v", p.Len(), err)
	}
	refused, size := 0, 0
	for _, r := range some.Events {
		size += len(r.Value)
		again := newArrowPredictions(Source{Model: "m", Deploy: "d"}, NewPredictions(DefaultLimits()))
		var whole *Error
		if err := again.Append(Record{Known: testKnown, Value: r.Value}); !errors.As(err, &whole) || whole.Reason != MissingField {
			t.Fatal(err)
		}
		refused += again.reader.rows
	}
	if refused != n-1 || size > 4<<20 {
		t.Errorf("%d refused rows in %d bytes, want %d", refused, size, n-1)
	}
}

func TestArrowAllocatesNothingPerEvent(t *testing.T) {
	for name, options := range map[string][]ipc.Option{"plain": nil, "lz4": {ipc.WithLZ4()}, "zstd": {ipc.WithZstd()}} {
		stream := flights(t, 1000, options...)
		d := newArrowPredictions(Source{}, NewPredictions(DefaultLimits()))
		fill := func() {
			d.Reset()
			for range 3 {
				if err := d.Append(Record{Known: testKnown, Value: stream}); err != nil {
					t.Fatal(err)
				}
			}
		}
		fill()
		if n := allocations(5, 300, fill); n > 300 {
			t.Errorf("%s: %v allocations for 3000 events", name, n)
		}
	}
}

func TestArrowSourceIsChecked(t *testing.T) {
	for says, s := range map[string]Source{
		"one kind":   {Holds: []Kind{KindPredictions, KindLabels}},
		"stage":      {Stage: "test"},
		"model, dep": {Model: "\xff"},
	} {
		s.Format, s.Topic = FormatArrow, "t"
		if err := s.WithDefaults().Validate(); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%+v: %v, want %q", s, err, says)
		}
	}
	good := Source{Topic: "t", Format: FormatArrow, Model: "m", Deploy: "d", Stage: "canary"}.WithDefaults()
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
}
