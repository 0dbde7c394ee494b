package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
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
	n := 0
	for b.Loop() {
		if n%65_536 == 0 {
			into.Predictions.Reset()
		}
		if err := d.Append(Record{Offset: int64(n), Known: testKnown, Value: events[n%len(events)]}); err != nil {
			b.Fatal(err)
		}
		n++
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "M_events/s")
}

func reasonOf(err error) (Reason, string) {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason, e.Field
	}
	return 0, ""
}
