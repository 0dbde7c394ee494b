package decode

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
)

// avroWire writes Avro's binary encoding.
type avroWire []byte

func (w avroWire) long(v int64) avroWire {
	return binary.AppendUvarint(w, uint64(v<<1)^uint64(v>>63))
}
func (w avroWire) text(s string) avroWire { return append(w.long(int64(len(s))), s...) }
func (w avroWire) double(v float64) avroWire {
	return binary.LittleEndian.AppendUint64(w, math.Float64bits(v))
}

// benchSchema has 20 numbers and 3 strings.
func benchSchema() string {
	fields := ""
	for i := range 20 {
		fields += fmt.Sprintf(`{"name":"n%d","type":"double"},`, i)
	}
	return `{"type":"record","name":"Prediction","namespace":"shop","fields":[
		{"name":"prediction_id","type":"string"},{"name":"model","type":"string"},{"name":"deploy_hash","type":"string"},
		{"name":"ts","type":{"type":"long","logicalType":"timestamp-millis"}},
		{"name":"features","type":{"type":"record","name":"Features","fields":[` + fields + `
			{"name":"origin","type":"string"},{"name":"carrier","type":"string"},{"name":"gate","type":["null","string"]}]}},
		{"name":"score","type":["null","double"]},{"name":"latency_ms","type":"float"}]}`
}

func benchEvents(n int) [][]byte {
	var all [][]byte
	for i := range n {
		w := avroWire{}.text(fmt.Sprintf("prediction-%08d", i)).text("flight-delay").text("3f9c2a7d10b4").long(testKnown + int64(i))
		for k := range 20 {
			w = w.double(float64(i*31+k) / 7)
		}
		w = w.text([]string{"ATL", "JFK", "ORD", "LAX", "SFO"}[i%5]).text([]string{"AA", "DL", "UA"}[i%3]).long(1).text(fmt.Sprintf("B%d", i%40))
		w = w.long(1).double(0.25)
		all = append(all, binary.LittleEndian.AppendUint32(w, math.Float32bits(12.5)))
	}
	return all
}

func openTest(t testing.TB, s Source) (Decoder, Columns) {
	t.Helper()
	s = s.WithDefaults()
	if err := s.Validate(); err != nil {
		t.Fatal(err)
	}
	into := s.Columns(DefaultLimits())
	d, err := s.Open(into)
	if err != nil {
		t.Fatal(err)
	}
	return d, into
}

func avroFileSource(schema string, kind Kind) Source {
	return Source{Format: FormatAvro, Holds: []Kind{kind}, Schemas: Schemas{SchemaFile: "events.avsc", SchemaText: []byte(schema)}}
}

func BenchmarkAvro(b *testing.B) {
	d, into := openTest(b, avroFileSource(benchSchema(), KindPredictions))
	benchDecoder(b, d, into, benchEvents(4096))
}

// benchDecoder decodes batches over and over, and counts allocations an event.
func benchDecoder(b *testing.B, d Decoder, into Columns, events [][]byte) {
	b.ReportAllocs()
	for n := range 65_536 { // ingest keeps its buffers too
		if err := d.Append(Record{Offset: int64(n), Known: testKnown, Value: events[n%len(events)]}); err != nil {
			b.Fatal(err)
		}
	}
	n, begun := 0, cpuSeconds(b)
	for b.Loop() {
		if n%65_536 == 0 {
			into.Predictions.Reset()
		}
		if err := d.Append(Record{Offset: int64(n), Known: testKnown, Value: events[n%len(events)]}); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/(cpuSeconds(b)-begun), "events/cpu-s")
}

func reasonOf(err error) (Reason, string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason, e.Field
	}
	return 0, ""
}

// avroGolden is an event that fastavro wrote, an implementation of Avro that is
// independent of ours.
type avroGolden struct {
	Holds  Kind            `json:"holds"`
	Schema json.RawMessage `json:"schema"`
	Hex    string          `json:"hex"`
}

func avroGoldens(t testing.TB) []avroGolden {
	t.Helper()
	text, err := os.ReadFile("testdata/avro/fastavro.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var all []avroGolden
	for line := range bytes.Lines(text) {
		var g avroGolden
		if err := json.Unmarshal(line, &g); err != nil {
			t.Fatal(err)
		}
		all = append(all, g)
	}
	return all
}

func (g avroGolden) body(t testing.TB) []byte {
	t.Helper()
	b, err := hex.DecodeString(g.Hex)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAvroGolden(t *testing.T) {
	var got bytes.Buffer
	for i, g := range avroGoldens(t) {
		d, into := openTest(t, avroFileSource(string(g.Schema), g.Holds))
		if err := d.Append(Record{Offset: int64(i), Known: testKnown, Value: g.body(t)}); err != nil {
			t.Fatalf("event %d: %v", i, err)
		}
		fmt.Fprintf(&got, "%d %s\n%s", i, g.Holds, dump(into))
	}
	compareGolden(t, "testdata/avro/fastavro.golden", got.Bytes())
}

func compareGolden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// plainSchema declares the required fields of a prediction and what else is
// given.
func plainSchema(fields string) string {
	return `{"type":"record","name":"P","fields":[{"name":"prediction_id","type":"string"},{"name":"model","type":"string"},
		{"name":"deploy_hash","type":"string"},{"name":"ts","type":"long"}` + fields + `]}`
}

func plainEvent() avroWire {
	return avroWire{}.text("p").text("m").text("d").long(testKnown)
}

func TestAvroSchemaRefusals(t *testing.T) {
	tests := []struct {
		name, schema string
		reason       Reason
		field        string
	}{
		{"not JSON", `{`, Unparsable, ""},
		{"no record", `"string"`, WrongType, ""},
		{"no ts", strings.Replace(plainSchema(""), `"ts"`, `"time"`, 1), MissingField, "ts"},
		{"date for ts", strings.Replace(plainSchema(""), `"long"`, `{"type":"int","logicalType":"date"}`, 1), WrongType, "ts"},
		{"local time for ts", strings.Replace(plainSchema(""), `"long"`, `{"type":"long","logicalType":"local-timestamp-millis"}`, 1), WrongType, "ts"},
		{"number for id", strings.Replace(plainSchema(""), `"string"`, `"long"`, 1), WrongType, "prediction_id"},
		{"text for score", plainSchema(`,{"name":"score","type":["null","string"]}`), WrongType, "score"},
		{"boolean for weight", plainSchema(`,{"name":"weight","type":"boolean"}`), WrongType, "weight"},
		{"nested feature", plainSchema(`,{"name":"features","type":{"type":"record","name":"F","fields":[{"name":"a","type":{"type":"record","name":"G","fields":[]}}]}}`), TooNested, "features.a"},
		{"feature of bytes", plainSchema(`,{"name":"features","type":{"type":"map","values":"bytes"}}`), WrongType, "features"},
		{"features as text", plainSchema(`,{"name":"features","type":"string"}`), WrongType, "features"},
		{"array of features", plainSchema(`,{"name":"features","type":{"type":"array","items":"double"}}`), TooNested, "features"},
		{"recursive", plainSchema(`,{"name":"x","type":{"type":"record","name":"L","fields":[{"name":"next","type":["null","L"]}]}}`), TooNested, "x"},
		{"deep", plainSchema(`,{"name":"x","type":` + strings.Repeat(`{"type":"array","items":`, 20) + `"int"` + strings.Repeat("}", 20) + `}`), TooNested, "x"},
		{"deeper", plainSchema(`,{"name":"x","type":` + strings.Repeat(`{"type":"array","items":`, 100) + `"int"` + strings.Repeat("}", 100) + `}`), Unparsable, ""},
		{"unfolds", unfolding(), TooNested, ""},
		{"unknown type", plainSchema(`,{"name":"x","type":"Y"}`), Unparsable, ""},
		{"field twice", plainSchema(`,{"name":"ts","type":"long"}`), Unparsable, ""},
		{"type twice", plainSchema(`,{"name":"x","type":{"type":"fixed","name":"P","size":1}}`), Unparsable, ""},
		{"union in union", plainSchema(`,{"name":"x","type":[["null","int"]]}`), Unparsable, ""},
		{"negative size", plainSchema(`,{"name":"x","type":{"type":"fixed","name":"X","size":-1}}`), Unparsable, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := compileAvroText(Schema{Text: []byte(test.schema)}, "schema 17", KindPredictions)
			if err == nil {
				t.Fatal("not refused")
			}
			if err.Reason != test.reason || (test.field != "" && err.Field != test.field) || !strings.Contains(err.Error(), "schema 17") {
				t.Errorf("%v, want %s of %q, naming the schema", err, test.reason, test.field)
			}
			if err := avroFileSource(test.schema, KindPredictions).Validate(); err == nil || !strings.Contains(err.Error(), "events.avsc") {
				t.Errorf("validate: %v, want the file's name", err)
			}
		})
	}
}

// A column that cannot be null has to say something: a text that is empty is
// neither the default nor a value.
func TestAvroEmptyTexts(t *testing.T) {
	for _, field := range []string{"stage", "status", "predicted"} {
		d, into := openTest(t, avroFileSource(plainSchema(fmt.Sprintf(`,{"name":%q,"type":"string"}`, field)), KindPredictions))
		err := d.Append(Record{Known: testKnown, Value: plainEvent().text("")})
		if reason, at := reasonOf(err); reason != BadValue || at != field || into.Predictions.Len() != 0 {
			t.Errorf("%s: %v, %d rows", field, err, into.Predictions.Len())
		}
		appendGood(t, d, plainEvent().text("production"))
		d, _ = openTest(t, avroFileSource(plainSchema(fmt.Sprintf(`,{"name":%q,"type":["null","string"]}`, field)), KindPredictions))
		appendGood(t, d, plainEvent().long(0))
	}
}

// unfolding is a small schema of 3^12 values.
func unfolding() string {
	fields := `,{"name":"x0","type":{"type":"record","name":"R0","fields":[{"name":"a","type":"int"}]}}`
	for i := range 12 {
		fields += fmt.Sprintf(`,{"name":"x%d","type":{"type":"record","name":"R%d","fields":[{"name":"a","type":"R%d"},{"name":"b","type":"R%d"},{"name":"c","type":"R%d"}]}}`, i+1, i+1, i, i, i)
	}
	return plainSchema(fields)
}

func TestAvroRefusals(t *testing.T) {
	schema := plainSchema(`,{"name":"weight","type":["null","double"]},{"name":"late","type":["null","boolean"]},{"name":"n","type":["null","int"]},
		{"name":"features","type":["null",{"type":"map","values":"double"}]},
		{"name":"stage","type":["null",{"type":"enum","name":"S","symbols":["production","staging"]}]},{"name":"junk","type":{"type":"array","items":"null"}}`)
	rest := func(w avroWire) avroWire { return w.long(0).long(0) } // stage, junk
	tests := []struct {
		name   string
		event  avroWire
		reason Reason
		field  string
	}{
		{"good", rest(plainEvent().long(0).long(0).long(0).long(0)), 0, ""},
		{"empty", avroWire{}, Unparsable, ""},
		{"cut", plainEvent(), Unparsable, "weight"},
		{"left over", rest(plainEvent().long(0).long(0).long(0).long(0)).long(0), Unparsable, ""},
		{"weight of 0", rest(plainEvent().long(1).double(0).long(0).long(0).long(0)), BadValue, "weight"},
		{"no such branch", plainEvent().long(2), Unparsable, "weight"},
		{"negative length", avroWire{}.long(-1), Unparsable, "prediction_id"},
		{"endless length", avroWire{}.long(math.MaxInt64), Unparsable, "prediction_id"},
		{"long varint", append(avroWire{}, bytes.Repeat([]byte{0x80}, 20)...), Unparsable, "prediction_id"},
		{"varint over 64 bits", append(avroWire{}, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), Unparsable, "prediction_id"},
		{"feature twice", rest(plainEvent().long(0).long(0).long(0).long(1).long(2).text("a").double(1).text("a").double(2).long(0)), DuplicateKey, "features.a"},
		{"nameless feature", rest(plainEvent().long(0).long(0).long(0).long(1).long(1).text("").double(1).long(0)), BadValue, "features."},
		{"endless map", plainEvent().long(0).long(0).long(0).long(1).long(math.MaxInt64), Unparsable, "features"},
		{"least block", plainEvent().long(0).long(0).long(0).long(1).long(math.MinInt64), Unparsable, "features"},
		{"two blocks, one with its size", rest(plainEvent().long(0).long(0).long(0).long(1).long(1).text("a").double(1).long(-1).long(10).text("b").double(2).long(0)), 0, ""},
		{"stage of ours", plainEvent().long(0).long(0).long(0).long(0).long(1).long(0).long(0), 0, ""},
		{"no stage of ours", plainEvent().long(0).long(0).long(0).long(0).long(1).long(1).long(0), BadValue, "stage"},
		{"endless items without bytes", plainEvent().long(0).long(0).long(0).long(0).long(0).long(1 << 60).long(0), 0, ""},
		{"NUL", rest(avroWire{}.text("p\x00").text("m").text("d").long(testKnown).long(0).long(0).long(0).long(0)), BadText, "prediction_id"},
		{"not UTF-8", rest(avroWire{}.text("p\xff").text("m").text("d").long(testKnown).long(0).long(0).long(0).long(0)), BadText, "prediction_id"},
		{"empty id", rest(avroWire{}.text("").text("m").text("d").long(testKnown).long(0).long(0).long(0).long(0)), MissingField, "prediction_id"},
		{"seconds", rest(avroWire{}.text("p").text("m").text("d").long(testKnown / 1000).long(0).long(0).long(0).long(0)), TimeOutOfRange, "ts"},
	}
	d, into := openTest(t, avroFileSource(schema, KindPredictions))
	stored := 0
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			before := dump(into)
			err := d.Append(Record{Offset: 1, Known: testKnown, Value: test.event})
			reason, field := reasonOf(err)
			if reason != test.reason || field != test.field {
				t.Errorf("%v, want %s of %q", err, test.reason, test.field)
			}
			if err == nil {
				stored++
			} else if after := dump(into); after != before {
				t.Errorf("a refused event changed the columns:\n%s\n%s", before, after)
			}
			checkColumns(t, into.Predictions)
		})
	}
	if into.Predictions.Len() != stored {
		t.Errorf("%d rows, want %d", into.Predictions.Len(), stored)
	}
}

// What the schema's fields are called decides, not where they stand; what is
// not ours is skipped and counted.
func TestAvroSkipsUnknownFields(t *testing.T) {
	g := avroGoldens(t)[0]
	d, into := openTest(t, avroFileSource(string(g.Schema), g.Holds))
	if err := d.Append(Record{Known: testKnown, Value: g.body(t)}); err != nil {
		t.Fatal(err)
	}
	if into.Predictions.Unknown != 2 {
		t.Errorf("%d unknown fields, want request and retries", into.Predictions.Unknown)
	}
}

func TestAvroAllocatesNothing(t *testing.T) {
	d, into := openTest(t, avroFileSource(benchSchema(), KindPredictions))
	allocatesNothing(t, d, into, benchEvents(2000))
}

func allocatesNothing(t *testing.T, d Decoder, into Columns, events [][]byte) {
	t.Helper()
	fill := func() {
		into.Predictions.Reset()
		for i, e := range events {
			if err := d.Append(Record{Offset: int64(i), Known: testKnown, Value: e}); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill()
	if n := allocations(5, 2, fill); n > 2 {
		t.Errorf("%v allocations for %d events, want none", n, len(events))
	}
}

// FuzzAvro decodes any bytes by the schemas of the goldens: no crash, and the
// columns stay what they were or gain one row.
func FuzzAvro(f *testing.F) {
	goldens := avroGoldens(f)
	for i, g := range goldens {
		f.Add(uint8(i), g.body(f))
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		g := goldens[int(which)%len(goldens)]
		betweenNeighbours(t, avroFileSource(string(g.Schema), g.Holds), g.body(t), body)
	})
}

// FuzzAvroSchema compiles any schema and decodes any bytes by it.
func FuzzAvroSchema(f *testing.F) {
	for _, g := range avroGoldens(f) {
		f.Add([]byte(g.Schema), g.body(f))
	}
	f.Fuzz(func(t *testing.T, schema, body []byte) {
		for _, kind := range []Kind{KindPredictions, KindLabels, KindDeployments} {
			if _, err := compileAvroText(Schema{Text: schema}, "schema", kind); err != nil {
				continue
			}
			s := avroFileSource(string(schema), kind)
			into := s.Columns(DefaultLimits())
			d, err := s.Open(into)
			if err != nil {
				t.Fatal(err)
			}
			_ = d.Append(Record{Known: testKnown, Value: body}) // whichever it is
			checkAll(t, into)
		}
	})
}

// betweenNeighbours decodes bytes between two good events and reports whether
// they are stored.
func betweenNeighbours(t *testing.T, s Source, good, body []byte) bool {
	t.Helper()
	d, into := openTest(t, s)
	appendGood(t, d, good)
	before := dump(into)
	err := d.Append(Record{Offset: 2, Known: testKnown, Value: body})
	if err != nil && dump(into) != before {
		t.Fatalf("a refused event changed the columns: %v", err)
	}
	appendGood(t, d, good)
	checkAll(t, into)
	return err == nil
}

func appendGood(t *testing.T, d Decoder, good []byte) {
	t.Helper()
	if err := d.Append(Record{Offset: 1, Known: testKnown, Value: good}); err != nil {
		t.Fatal(err)
	}
}

func checkAll(t *testing.T, into Columns) {
	t.Helper()
	if into.Predictions != nil {
		checkColumns(t, into.Predictions)
	}
	dump(into) // panics if an identifier is none
}

// TestMutatedAvro does what FuzzAvro does, on the same mutations every time.
func TestMutatedAvro(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 8))
	goldens := avroGoldens(t)
	stored, refused := 0, 0
	for i := range 6_000 {
		g := goldens[i%len(goldens)]
		body := g.body(t)
		for range 1 + r.IntN(3) {
			damage(r, body)
		}
		if r.IntN(20) == 0 {
			body = body[:r.IntN(len(body))]
		}
		if betweenNeighbours(t, avroFileSource(string(g.Schema), g.Holds), g.body(t), body) {
			stored++
		} else {
			refused++
		}
	}
	if stored < 300 || refused < 300 {
		t.Errorf("%d stored, %d refused: the test has become blind", stored, refused)
	}
}
