package decode

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"google.golang.org/protobuf/encoding/protowire"
)

const goodKPI = `{"model":"m","name":"revenue","ts":1790000000000,"value":12.5,"segment":"region=eu"}`

func TestKPIRefusals(t *testing.T) {
	for text, want := range map[string]Reason{
		strings.Replace(goodKPI, `"m"`, `""`, 1):                                MissingField,
		strings.Replace(goodKPI, `"name":"revenue",`, ``, 1):                    MissingField,
		strings.Replace(goodKPI, `12.5`, `null`, 1):                             MissingField,
		strings.Replace(goodKPI, `12.5`, `NaN`, 1):                              BadValue,
		strings.Replace(goodKPI, `12.5`, `-Infinity`, 1):                        BadValue,
		strings.Replace(goodKPI, `12.5`, `"12.5"`, 1):                           WrongType,
		strings.Replace(goodKPI, `"ts":1790000000000,`, ``, 1):                  MissingField,
		strings.Replace(goodKPI, `1790000000000`, `1000000000000`, 1):           TimeOutOfRange,
		strings.Replace(goodKPI, `region=eu`, strings.Repeat("x", 257), 1):      BadValue,
		strings.Replace(goodKPI, `"value":12.5`, `"value":12.5,"value":1`, 1):   DuplicateKey,
		strings.Replace(goodKPI, `"segment":"region=eu"`, `"segment":["a"]`, 1): TooNested,
	} {
		k := NewJSONKPIs(DefaultLimits())
		var refused *Error
		if err := k.Append(Record{Known: testKnown, Value: []byte(text)}); !errors.As(err, &refused) || refused.Reason != want || k.Len() != 0 {
			t.Errorf("%s: %v and %d rows, want %s", text, err, k.Len(), want)
		}
	}
}

// One reading comes out the same of every shape that can carry it.
func TestKPIsOfEveryShape(t *testing.T) {
	const want = "kpi model \"m\" name \"revenue\" ts 1790000000000 value 12.5 segment \"region=eu\"\nkpis unknown 0 skipped 0\n"
	schema := `{"type":"record","name":"KPI","fields":[{"name":"model","type":"string"},{"name":"name","type":"string"},
		{"name":"ts","type":"long"},{"name":"value","type":"double"},{"name":"segment","type":["null","string"]}]}`
	avro := append(avroText(nil, "m"), avroText(nil, "revenue")...)
	avro = binary.AppendVarint(avro, 1790000000000)
	avro = binary.LittleEndian.AppendUint64(avro, math.Float64bits(12.5))
	avro = append(avro, avroText([]byte{2}, "region=eu")...)
	proto := func(b []byte, n protowire.Number, text string) []byte {
		return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), text)
	}
	own := proto(proto(nil, 1, "m"), 2, "revenue")
	own = protowire.AppendVarint(protowire.AppendTag(own, 3, protowire.VarintType), 1790000000000)
	own = protowire.AppendFixed64(protowire.AppendTag(own, 4, protowire.Fixed64Type), math.Float64bits(12.5))
	own = proto(own, 5, "region=eu")
	mapping := "kpis: {model: /m, name: /n, ts: /t, value: /v, segment: /s}\n"
	for _, tt := range []struct {
		source Source
		value  []byte
	}{
		{Source{Format: FormatJSON}, []byte(goodKPI)},
		{Source{Format: FormatArrow}, streamOf(t, texts("model", "m"), texts("name", "revenue"), at(1), column{"value", arrow.PrimitiveTypes.Float32, []string{"12.5"}}, texts("segment", "region=eu"))},
		{Source{Format: FormatMapping, Mapping: Mapping{MappingFile: "m.yml", MappingText: mapping}}, []byte(`{"m":"m","n":"revenue","t":1790000000000,"v":12.5,"s":"region=eu"}`)},
		{avroFileSource(schema, KindKPIs), avro},
		{Source{Format: FormatProtobuf}, own},
	} {
		tt.source.Holds = []Kind{KindKPIs}
		d, into := openTest(t, tt.source)
		if err := d.Append(Record{Known: testKnown, Value: tt.value}); err != nil {
			t.Errorf("%s: %v", tt.source.Format, err)
			continue
		}
		if got := dump(into); got != want {
			t.Errorf("%s:\n%s want\n%s", tt.source.Format, got, want)
		}
	}
}

func avroText(b []byte, text string) []byte {
	return append(binary.AppendVarint(b, int64(len(text))), text...)
}

// A record of which some readings are refused gives the others, and what is
// taken back leaves nothing behind.
func TestKPIColumns(t *testing.T) {
	k := NewJSONKPIs(DefaultLimits())
	for i := range 5 {
		if err := k.Append(Record{Known: testKnown, Offset: int64(i), Value: []byte(strings.Replace(goodKPI, "12.5", fmt.Sprint(i), 1))}); err != nil {
			t.Fatal(err)
		}
	}
	c := Columns{KPIs: k.KPIs}
	before := c.save()
	if err := k.Append(Record{Known: testKnown, Value: []byte(strings.Replace(goodKPI, "revenue", "other", 1))}); err != nil {
		t.Fatal(err)
	}
	c.restore(&before)
	if c.Len() != 5 || k.Name.Dict.Len() != 1 {
		t.Errorf("%d rows and %d names are left, want 5 and 1", c.Len(), k.Name.Dict.Len())
	}
	turned := NewKPIs(DefaultLimits())
	for i := 4; i >= 0; i-- {
		turned.Pick(k.KPIs, i)
	}
	if fmt.Sprint(turned.Value) != "[4 3 2 1 0]" || string(turned.Segment.At(0)) != "region=eu" || turned.Source.Offset[0] != 4 {
		t.Errorf("picked %+v", turned)
	}
	c.Reset()
	if c.Len() != 0 {
		t.Error("Reset left rows")
	}
}

// FuzzKPI holds what is accepted against encoding/json: the same values, and
// nothing that is not one JSON object with finite numbers in its place.
func FuzzKPI(f *testing.F) {
	for _, seed := range []string{goodKPI, `{"model":"m","name":"n","ts":"2026-09-21T14:13:20Z","value":-1e-9}`, `{"value":NaN}`, `{"segment":null,"extra":[{}]}`, `[]`, `{"model":"\u00e9"}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		k := NewJSONKPIs(DefaultLimits())
		if err := k.Append(Record{Known: testKnown, Value: []byte(goodKPI)}); err != nil {
			t.Fatal(err)
		}
		if err := k.Append(Record{Known: testKnown, Value: text}); err != nil {
			var refused *Error
			if k.Len() != 1 || len(k.Value) != 1 || len(k.Name.IDs) != 1 || !errors.As(err, &refused) {
				t.Fatalf("%q: %v, and %d rows", text, err, k.Len())
			}
			return
		}
		if strangeText(text) || strings.Contains(string(text), "NaN") || strings.Contains(string(text), "Infinity") {
			return // in what is skipped: our scanner takes words that JSON has not
		}
		var e map[string]json.RawMessage
		var value *float64
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatalf("%q is accepted, encoding/json says %v", text, err)
		}
		if err := json.Unmarshal(e["value"], &value); err != nil || value == nil || k.Value[1] != *value {
			t.Fatalf("%q: value %v, want %s (%v)", text, k.Value[1], e["value"], err)
		}
		for name, got := range map[string][]byte{"model": k.Model.At(1), "name": k.Name.At(1), "segment": k.Segment.At(1)} {
			want := ""
			if raw := e[name]; raw != nil {
				if err := json.Unmarshal(raw, &want); err != nil {
					t.Fatalf("%q: %s is %s (%v)", text, name, raw, err)
				}
			}
			if string(got) != want {
				t.Fatalf("%q: %s %q, want %q", text, name, got, want)
			}
		}
	})
}
