package decode

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// avroValue is one value: its Avro schema, its bytes, and itself in our JSON.
type avroValue struct {
	schema string
	wire   avroWire
	json   any
}

// randomAvro returns a value of one of the types; nullable ones stand in a union
// with null, on either side.
func randomAvro(r *rand.Rand, types string) avroValue {
	v := avroValue{}
	switch types[r.IntN(len(types))] {
	case 'd':
		n := r.NormFloat64() * 1000
		v = avroValue{`"double"`, avroWire{}.double(n), n}
	case 'f':
		n := float32(r.IntN(1000)) / 8
		v = avroValue{`"float"`, avroWire{byte(math.Float32bits(n)), byte(math.Float32bits(n) >> 8), byte(math.Float32bits(n) >> 16), byte(math.Float32bits(n) >> 24)}, n}
	case 'i':
		n := int64(int32(r.Uint32()))
		v = avroValue{`"int"`, avroWire{}.long(n), n}
	case 'l':
		n := int64(r.Uint64()) >> r.IntN(60)
		v = avroValue{`{"type":"long"}`, avroWire{}.long(n), n}
	case 'w': // that no other is rounded to
		n := int64(r.Uint64()) >> (11 + r.IntN(49))
		v = avroValue{`"long"`, avroWire{}.long(n), n}
	case 's':
		s := []string{"", "ATL", "São Paulo", "a longer text than most"}[r.IntN(4)]
		v = avroValue{`"string"`, avroWire{}.text(s), s}
	case 'b':
		b := r.IntN(2)
		v = avroValue{`"boolean"`, avroWire{byte(b)}, b == 1}
	case 'e':
		i := r.IntN(3)
		v = avroValue{fmt.Sprintf(`{"type":"enum","name":"E%d","symbols":["a","b","c"]}`, r.Uint64()), avroWire{}.long(int64(i)), string(rune('a' + i))}
	}
	switch null := r.IntN(2); r.IntN(5) {
	case 0: // null, where another type may stand
		return avroValue{[]string{"[\"null\"," + v.schema + "]", "[" + v.schema + ",\"null\"]"}[null], avroWire{}.long(int64(null)), nil}
	case 1: // not null, where null may stand
		return avroValue{[]string{"[\"null\"," + v.schema + "]", "[" + v.schema + ",\"null\"]"}[null], append(avroWire{}.long(int64(1-null)), v.wire...), v.json}
	case 2: // the third branch
		return avroValue{`["null",{"type":"fixed","name":"N` + fmt.Sprint(r.Uint64()) + `","size":2,"logicalType":"decimal","precision":4,"scale":2},` + v.schema + "]", append(avroWire{}.long(2), v.wire...), v.json}
	}
	return v
}

// junkAvro returns a value that nobody reads.
func junkAvro(r *rand.Rand, depth int) avroValue {
	if depth > 3 {
		return randomAvro(r, "dflisbe")
	}
	switch a := junkAvro(r, depth+1); r.IntN(5) {
	case 0: // an array of one, in a block with or without its size
		if r.IntN(2) == 0 {
			return avroValue{`{"type":"array","items":` + a.schema + `}`, append(append(avroWire{}.long(-1).long(int64(len(a.wire))), a.wire...), 0), nil}
		}
		return avroValue{`{"type":"array","items":` + a.schema + `}`, append(append(avroWire{}.long(1), a.wire...), 0), nil}
	case 1:
		return avroValue{`{"type":"map","values":` + a.schema + `}`, append(append(avroWire{}.long(1).text("key"), a.wire...), 0), nil}
	case 2:
		b := randomAvro(r, "dflisbe")
		return avroValue{fmt.Sprintf(`{"type":"record","name":"R%d","fields":[{"name":"x","type":%s},{"name":"y","type":%s}]}`, r.Uint64(), a.schema, b.schema), append(a.wire, b.wire...), nil}
	}
	return randomAvro(r, "dflisbe")
}

// randomFeatures returns features as a record or as a map.
func randomFeatures(r *rand.Rand) avroValue {
	n := r.IntN(12)
	all, wire := map[string]any{}, avroWire{}
	if r.IntN(2) == 0 {
		var fields []string
		for i := range n {
			name := fmt.Sprintf("f%d", i)
			v := randomAvro(r, "dddddflisbe")
			fields = append(fields, fmt.Sprintf(`{"name":%q,"type":%s}`, name, v.schema))
			all[name], wire = v.json, append(wire, v.wire...)
		}
		return avroValue{`{"type":"record","name":"Features","fields":[` + strings.Join(fields, ",") + `]}`, wire, all}
	}
	for i := range n { // in blocks of one
		name, v := fmt.Sprintf("f%d", i), r.NormFloat64()
		wire = wire.long(1).text(name).double(v)
		all[name] = v
	}
	return avroValue{`{"type":"map","values":"double"}`, wire.long(0), all}
}

// An event in Avro, by a schema made at random, is the row that our JSON is.
func TestAvroAgainstJSON(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for i := range 1500 {
		id := fmt.Sprintf("p%d", i)
		values := map[string]avroValue{
			"prediction_id": {`"string"`, avroWire{}.text(id), id}, "model": {`"string"`, avroWire{}.text("m"), "m"},
			"deploy_hash": {`"string"`, avroWire{}.text("d"), "d"}, "ts": {`{"type":"long","logicalType":"timestamp-micros"}`, avroWire{}.long((testKnown+int64(i))*1000 + 999), testKnown + i},
			"features": randomFeatures(r), "score": randomAvro(r, "dfil"), "predicted": randomAvro(r, "dfwisbe"), "latency_ms": randomAvro(r, "df"), "status": {`"string"`, avroWire{}.text("ok"), "ok"},
		}
		for values["predicted"].json == "" { // which is refused
			values["predicted"] = randomAvro(r, "dfwisbe")
		}
		for k := range r.IntN(4) {
			values[fmt.Sprintf("junk%d", k)] = junkAvro(r, 0)
		}
		schema, wire, event := "", avroWire{}, map[string]any{}
		names := slices.Sorted(maps.Keys(values))
		r.Shuffle(len(names), func(a, b int) { names[a], names[b] = names[b], names[a] })
		for _, name := range names {
			v := values[name]
			schema += fmt.Sprintf(`,{"name":%q,"type":%s}`, name, v.schema)
			wire = append(wire, v.wire...)
			event[name] = v.json
		}
		schema = `{"type":"record","name":"P","fields":[` + schema[1:] + `]}`
		text, err := json.Marshal(event)
		if err != nil {
			t.Fatal(err)
		}
		ours := NewJSONPredictions(DefaultLimits())
		appendGood(t, ours, text)
		d, into := openTest(t, avroFileSource(schema, KindPredictions))
		if err := d.Append(Record{Offset: 1, Known: testKnown, Value: wire}); err != nil {
			t.Fatalf("%s\n%x\n%v", schema, wire, err)
		}
		got, want := fmt.Sprint(valuesOf(readRow(into.Predictions, 0))), fmt.Sprint(valuesOf(readRow(ours.Predictions, 0)))
		if got != want {
			t.Fatalf("%s\ngot\n%s\nwant\n%s", schema, got, want)
		}
		if into.Predictions.Unknown != ours.Unknown {
			t.Fatalf("%d unknown fields, JSON has %d", into.Predictions.Unknown, ours.Unknown)
		}
	}
}
