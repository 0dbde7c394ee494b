package decode

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/plumbline-slo/plumbline/testenv/fakeregistry"
)

func TestProtobufSchemaRefusals(t *testing.T) {
	tests := map[string]struct {
		message string
		reason  Reason
		field   string
	}{
		"no message":      {"shop.v1.Nothing", MissingField, ""},
		"an enum":         {"shop.v1.Seat", MissingField, ""},
		"nested features": {"shop.v1.Nested", TooNested, "features"},
		"listed features": {"shop.v1.Listed", WrongType, "features"},
		"no ts":           {"shop.v1.Timeless", MissingField, "ts"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := compileProtoSet(protoSet(t, "shop"), "shop.pb", test.message, KindPredictions)
			if err == nil || err.Reason != test.reason || err.Field != test.field || !strings.Contains(err.Error(), "shop.pb") {
				t.Errorf("%v, want %s of %q, naming the file", err, test.reason, test.field)
			}
		})
	}
}

func TestProtobufRefusals(t *testing.T) {
	good := func() pb { return pb{}.text(1, "p").text(2, "m").text(3, "d").varint(4, testKnown) }
	entry := func(b pb, n protowire.Number, e pb) pb { return b.text(n, string(e)) }
	tests := map[string]struct {
		event  pb
		reason Reason
		field  string
	}{
		"good":               {good(), 0, ""},
		"unknown field":      {good().text(99, "x").text(99, "y"), 0, ""},
		"no ts":              {pb{}.text(1, "p").text(2, "m").text(3, "d"), MissingField, "ts"},
		"id twice":           {good().text(1, "q"), DuplicateKey, "prediction_id"},
		"two of a oneof":     {good().text(12, "late").varint(14, 1), DuplicateKey, "predicted_flag"},
		"wrong wire type":    {good().varint(11, 1), Unparsable, "score"},
		"feature twice":      {entry(entry(good(), 6, pb{}.text(1, "a").double(2, 1)), 7, pb{}.text(1, "a").text(2, "x")), DuplicateKey, "features.a"},
		"nameless feature":   {entry(good(), 6, pb{}.double(2, 1)), BadValue, "features."},
		"value before key":   {entry(good(), 6, pb{}.double(2, 1).text(1, "a")), 0, ""},
		"feature without":    {entry(good(), 6, pb{}.text(1, "a")), 0, ""},
		"two values":         {entry(good(), 6, pb{}.text(1, "a").double(2, 1).double(2, 2)), Unparsable, "numbers"},
		"weight of 0":        {good().double(17, 0), BadValue, "weight"},
		"no stage of ours":   {good().text(5, "staging"), BadValue, "stage"},
		"not UTF-8":          {good().text(12, "\xff"), BadText, "predicted_class"},
		"empty class":        {good().text(12, ""), BadValue, "predicted"},
		"NUL":                {entry(good(), 7, pb{}.text(1, "a").text(2, "\x00")), BadText, "features.a"},
		"endless length":     {append(good(), 0x62, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f), Unparsable, "predicted_class"},
		"field 0":            {append(good(), 0x00, 0x00), Unparsable, ""},
		"varint over 64 bit": {append(good(), 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02), Unparsable, ""},
		"group without end":  {append(good(), 0x9b, 0x06), Unparsable, ""},
	}
	d, into := openTest(t, Source{Format: FormatProtobuf})
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			before := dump(into)
			err := d.Append(Record{Offset: 1, Known: testKnown, Value: test.event})
			if reason, field := reasonOf(err); reason != test.reason || field != test.field {
				t.Errorf("%v, want %s of %q", err, test.reason, test.field)
			}
			if err != nil && dump(into) != before {
				t.Error("a refused event changed the columns")
			}
		})
	}
	if into.Predictions.Unknown != 1 {
		t.Errorf("%d unknown fields, want 1: a repeated field counts once", into.Predictions.Unknown)
	}
}

// A text without presence that is empty is one that was not sent, whether its
// serializer writes it or not.
func TestProtobufEmptyTexts(t *testing.T) {
	event := pb{}.text(1, "p").text(2, "m").text(3, "d").varint(4, testKnown)
	d, into := openTest(t, Source{Format: FormatProtobuf})
	appendGood(t, d, event)
	appendGood(t, d, event.text(5, "").text(16, ""))
	if p := into.Predictions; string(p.Stage.At(1)) != "production" || string(p.Status.At(1)) != "ok" {
		t.Errorf("stage %q, status %q", p.Stage.At(1), p.Status.At(1))
	}
}

// double appends a field of type double.
func (b pb) double(n protowire.Number, v float64) pb {
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(v))
}

func TestProtobufLabelsAndDeployments(t *testing.T) {
	label := func() pb { return pb{}.text(1, "p").text(2, "m").varint(3, testKnown) }
	d, into := openTest(t, Source{Format: FormatProtobuf, Holds: []Kind{KindLabels}})
	for _, event := range []pb{label().text(4, "late"), label().double(5, 0), label().varint(6, 0), label().varint(7, 0)} {
		appendGood(t, d, event)
	}
	for _, event := range []pb{label(), label().text(4, "")} {
		if err := d.Append(Record{Known: testKnown, Value: event}); err == nil {
			t.Errorf("%x is taken: a label that is not there, or empty, is none", event)
		}
	}
	got := dump(into)
	d, into = openTest(t, Source{Format: FormatProtobuf, Holds: []Kind{KindDeployments}})
	appendGood(t, d, pb{}.text(1, "m").text(2, "d").varint(3, testKnown).text(4, "canary").text(5, "1.2").text(6, "ann").text(7, "beef").text(8, "sha").text(9, "nightly").text(10, "a note"))
	compareGolden(t, "testdata/protobuf/own.golden", []byte(got+dump(into)))
}

// A registry gives the descriptor of a file; the record says which of its
// messages it is.
func TestProtobufFromRegistry(t *testing.T) {
	server := startRegistry(t)
	files := protoFile(t, "shop").GetFile()
	shop := files[len(files)-1]
	serialized, err := proto.Marshal(shop)
	if err != nil {
		t.Fatal(err)
	}
	server.Register(17, fakeregistry.Schema{Type: "PROTOBUF", Serialized: serialized})
	server.Register(18, fakeregistry.Schema{Text: `"string"`})
	server.Register(19, fakeregistry.Schema{Type: "PROTOBUF", Serialized: []byte("x")})
	source := Source{Format: FormatProtobuf, Schemas: Schemas{SchemaRegistry: &SchemaRegistry{URLs: []string{server.URL()}}}}
	d, into := openTest(t, source)
	r := rand.New(rand.NewPCG(1, 1))
	for i, c := range protoCases(t)[1:] {
		body := randomEvent(t, r, c)
		// Outer is the second message of the file, and these are in it.
		path := []byte{4, 2, byte(2 * [...]int{0, 2}[i])}
		appendGood(t, d, append(append(framed(17), path...), body...))
		compareProto(t, c, into.Predictions, body)
	}
	plain := pb{}.text(1, "p").text(2, "m").text(3, "d").varint(4, testKnown)
	for name, test := range map[string]struct {
		value  []byte
		reason Reason
	}{
		"the first message":  {append(append(framed(17), 0), plain...), MissingField},
		"no such message":    {append(append(framed(17), 2, 20), plain...), Unparsable},
		"no path":            {framed(17), Unparsable},
		"endless path":       {binary.AppendUvarint(framed(17), 1<<40), Unparsable},
		"not Protobuf":       {append(framed(18), 0), WrongType},
		"a broken schema":    {append(framed(19), 0), Unparsable},
		"no schema":          {append(framed(20), 0), UnknownSchema},
		"not framed":         {plain, Unparsable},
		"negative in a path": {append(framed(17), 2, 1), Unparsable},
	} {
		err := d.Append(Record{Known: testKnown, Value: test.value})
		if reason, _ := reasonOf(err); reason != test.reason {
			t.Errorf("%s: %v, want %s", name, err, test.reason)
		}
	}
	server.Old() // a registry that gives the text: nothing is lost
	server.Register(21, fakeregistry.Schema{Type: "PROTOBUF", Text: `syntax = "proto3";`})
	if err := d.Append(Record{Known: testKnown, Value: append(framed(21), 0)}); !isUnavailable(err) {
		t.Errorf("%v, want unavailable", err)
	}
}

func TestProtobufAllocatesNothing(t *testing.T) {
	d, into := openTest(t, Source{Format: FormatProtobuf})
	allocatesNothing(t, d, into, protoEvents(2000))
}

// protoEvents are predictions with 20 numbers and 3 categories.
func protoEvents(n int) [][]byte {
	var all [][]byte
	for i := range n {
		b := pb{}.text(1, fmt.Sprintf("prediction-%08d", i)).text(2, "flight-delay").text(3, "3f9c2a7d10b4").varint(4, uint64(testKnown+i))
		for k := range 20 {
			b = b.text(6, string(pb{}.text(1, fmt.Sprintf("n%d", k)).double(2, float64(i*31+k)/7)))
		}
		for k, v := range []string{"ATL", "AA", fmt.Sprintf("B%d", i%40)} {
			b = b.text(7, string(pb{}.text(1, fmt.Sprintf("c%d", k)).text(2, v)))
		}
		all = append(all, b.double(11, 0.25).double(15, 12.5))
	}
	return all
}

func BenchmarkProtobuf(b *testing.B) {
	d, into := openTest(b, Source{Format: FormatProtobuf})
	benchDecoder(b, d, into, protoEvents(4096))
}
