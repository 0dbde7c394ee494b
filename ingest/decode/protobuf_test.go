package decode

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/plumbline-slo/plumbline/testenv/fakeregistry"
)

// protoSet reads a descriptor set that protoc wrote.
func protoSet(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile("testdata/protobuf/" + name + ".pb")
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func protoFile(t testing.TB, name string) *descriptorpb.FileDescriptorSet {
	t.Helper()
	var set descriptorpb.FileDescriptorSet
	if err := proto.Unmarshal(protoSet(t, name), &set); err != nil {
		t.Fatal(err)
	}
	return &set
}

func protoMessageOf(t testing.TB, set *descriptorpb.FileDescriptorSet, name string) protoreflect.MessageDescriptor {
	t.Helper()
	known, err := protoFiles(set.GetFile())
	if err != nil {
		t.Fatal(err)
	}
	found, err := known.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		t.Fatal(err)
	}
	return found.(protoreflect.MessageDescriptor)
}

func shopSource(t testing.TB, message string) Source {
	return Source{Format: FormatProtobuf, Schemas: Schemas{SchemaFile: "shop.pb", SchemaText: protoSet(t, "shop"), Message: message}}
}

// Our messages stand in docs/events.proto for producers and in a table for us.
func TestOwnMessages(t *testing.T) {
	text, err := os.ReadFile("../../docs/events.proto")
	if err != nil {
		t.Fatal(err)
	}
	field := regexp.MustCompile(`^ +(\S.*) (\w+) = (\d+);`)
	message, oneof := "", ""
	got := map[string][]ownField{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		switch found := field.FindStringSubmatch(line); {
		case strings.HasPrefix(line, "message "):
			message = strings.Fields(line)[1]
		case strings.HasPrefix(line, "  oneof "):
			oneof = strings.Fields(line)[1]
		case line == "  }":
			oneof = ""
		case found != nil:
			n := int32(0)
			if _, err := fmt.Sscan(found[3], &n); err != nil {
				t.Fatal(err)
			}
			got[message] = append(got[message], ownField{found[2], n, found[1], oneof})
		}
	}
	for kind, fields := range ownMessages() {
		if !slices.Equal(got[ownName(kind)], fields) {
			t.Errorf("%s: docs/events.proto has\n%v, the table has\n%v", kind, got[ownName(kind)], fields)
		}
		ours := protoMessageOf(t, &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{ownFile()}}, "plumbline.v1."+ownName(kind))
		theirs := protoMessageOf(t, protoFile(t, "events"), "plumbline.v1."+ownName(kind))
		if a, b := shape(ours), shape(theirs); a != b {
			t.Errorf("%s: we make\n%s\nprotoc makes\n%s", kind, a, b)
		}
	}
}

// shape is what decides how a message is written.
func shape(m protoreflect.MessageDescriptor) string {
	var b strings.Builder
	for i := range m.Fields().Len() {
		f := m.Fields().Get(i)
		fmt.Fprintln(&b, f.FullName(), f.Number(), f.Kind(), f.Cardinality(), f.HasPresence(), f.IsMap(), f.ContainingOneof() == nil)
		if f.IsMap() {
			b.WriteString(shape(f.Message()))
		}
	}
	return b.String()
}

// protoRow is what a message says, read by Protobuf's own reflection.
func protoRow(m protoreflect.Message) *oracleRow {
	r := &oracleRow{stage: "production", status: "ok", weight: 1, numbers: map[string]float64{}, categories: map[string]string{}, segments: map[string]string{}, nulls: map[string]bool{}}
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		name, v := string(f.Name()), m.Get(f)
		sent := m.Has(f) || !f.HasPresence()
		if o := f.ContainingOneof(); o != nil && !o.IsSynthetic() {
			name = string(o.Name())
		}
		switch {
		case f.IsMap():
			v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
				text, n := plainOf(f.MapValue(), v)
				switch {
				case name == "segments":
					r.segments[k.String()] = text
				case n != nil:
					r.numbers[k.String()] = *n
				default:
					r.categories[k.String()] = text
				}
				return true
			})
		case name == "nulls":
			for k := range v.List().Len() {
				r.nulls[v.List().Get(k).String()] = true
			}
		case name == "features" && m.Has(f):
			r.members(v.Message())
		case f.IsList() || !sent:
		default:
			text, n := plainOf(f, v)
			r.plain(name, text, n)
		}
	}
	return r
}

// plain sets a field; what is unknown is left alone.
func (r *oracleRow) plain(name, text string, n *float64) {
	switch name {
	case "prediction_id":
		r.id = text
	case "model":
		r.model = text
	case "deploy_hash":
		r.deploy = text
	case "stage":
		if text != "" {
			r.stage = text
		}
	case "status":
		if text != "" {
			r.status = text
		}
	case "ts":
		r.ts = int64(*n)
	case "score":
		r.score = n
	case "predicted":
		r.predicted, r.value = text, n
	case "latency_ms":
		r.latency = n
	case "weight":
		r.weight = *n
	}
}

func (r *oracleRow) members(m protoreflect.Message) {
	for i := range m.Descriptor().Fields().Len() {
		f := m.Descriptor().Fields().Get(i)
		name := string(f.Name())
		if f.HasPresence() && !m.Has(f) {
			r.nulls[name] = true
			continue
		}
		if text, n := plainOf(f, m.Get(f)); n != nil {
			r.numbers[name] = *n
		} else {
			r.categories[name] = text
		}
	}
}

// plainOf returns a value as text, or as a number.
func plainOf(f protoreflect.FieldDescriptor, v protoreflect.Value) (string, *float64) {
	number := func(n float64) (string, *float64) { return "", &n }
	switch f.Kind() {
	case protoreflect.StringKind:
		return v.String(), nil
	case protoreflect.BoolKind:
		return fmt.Sprint(v.Bool()), nil
	case protoreflect.EnumKind:
		if e := f.Enum().Values().ByNumber(v.Enum()); e != nil {
			return string(e.Name()), nil
		}
		return "no such value", nil
	case protoreflect.DoubleKind, protoreflect.FloatKind:
		return number(v.Float())
	case protoreflect.Uint32Kind, protoreflect.Uint64Kind, protoreflect.Fixed32Kind, protoreflect.Fixed64Kind:
		return number(float64(v.Uint()))
	case protoreflect.MessageKind:
		inner := v.Message().Descriptor().Fields()
		if f.Message().FullName() == "google.protobuf.Timestamp" {
			return number(float64(v.Message().Get(inner.ByNumber(1)).Int()*1000 + v.Message().Get(inner.ByNumber(2)).Int()/1e6))
		}
		return plainOf(inner.ByNumber(1), v.Message().Get(inner.ByNumber(1)))
	}
	return number(float64(v.Int()))
}

// fillProto sends fields at random.
func fillProto(r *rand.Rand, m protoreflect.Message) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		f := fields.Get(i)
		switch {
		case f.IsMap():
			for range r.IntN(4) {
				m.Mutable(f).Map().Set(protoreflect.ValueOfString(fmt.Sprint(f.Name(), r.IntN(20))).MapKey(), randomProto(r, f.MapValue(), nil))
			}
		case f.IsList() && f.Kind() == protoreflect.StringKind:
			for k := range r.IntN(3) {
				m.Mutable(f).List().Append(protoreflect.ValueOfString(fmt.Sprint("null", k)))
			}
		case f.IsList():
			for range r.IntN(3) {
				m.Mutable(f).List().Append(randomProto(r, f, nil))
			}
		case r.IntN(4) == 0 && f.Name() != "ts" && f.Name() != "prediction_id" && f.Name() != "model" && f.Name() != "deploy_hash":
		default:
			m.Set(f, randomProto(r, f, m))
		}
	}
}

func randomProto(r *rand.Rand, f protoreflect.FieldDescriptor, parent protoreflect.Message) protoreflect.Value {
	at := testKnown + r.Int64N(100_000)
	if f.Name() == "weight" && f.Kind() == protoreflect.DoubleKind {
		return protoreflect.ValueOfFloat64(1 + r.Float64())
	}
	switch f.Kind() {
	case protoreflect.MessageKind:
		v := parent.NewField(f)
		if f.Message().FullName() == "google.protobuf.Timestamp" {
			v.Message().Set(f.Message().Fields().ByNumber(1), protoreflect.ValueOfInt64(at/1000))
			v.Message().Set(f.Message().Fields().ByNumber(2), protoreflect.ValueOfInt32(int32(at%1000*1e6+999)))
			return v
		}
		fillProto(r, v.Message())
		return v
	case protoreflect.StringKind:
		if f.Name() == "stage" {
			return protoreflect.ValueOfString([]string{"", "production", "canary"}[r.IntN(3)])
		}
		return protoreflect.ValueOfString([]string{"a", "São Paulo", strings.Repeat("long ", 30), "x1"}[r.IntN(4)])
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(r.IntN(2) == 0)
	case protoreflect.EnumKind:
		values := f.Enum().Values()
		return protoreflect.ValueOfEnum(values.Get(r.IntN(values.Len())).Number())
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64([]float64{0.5, 1e300, 3, r.ExpFloat64()}[r.IntN(4)])
	case protoreflect.FloatKind:
		return protoreflect.ValueOfFloat32(r.Float32() + 1)
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		return protoreflect.ValueOfInt32(int32(r.Uint32()))
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		return protoreflect.ValueOfUint32(r.Uint32())
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		if f.Name() == "ts" {
			return protoreflect.ValueOfUint64(uint64(at))
		}
		return protoreflect.ValueOfUint64(r.Uint64())
	}
	if f.Name() == "ts" {
		return protoreflect.ValueOfInt64(at)
	}
	return protoreflect.ValueOfInt64(int64(r.Uint64()))
}

// protoCase is a message and the source that reads it.
type protoCase struct {
	source  Source
	message protoreflect.MessageDescriptor
	// reader is message without the fields that we skip: Protobuf looks into
	// those, we do not.
	reader protoreflect.MessageDescriptor
}

func protoCases(t testing.TB) []protoCase {
	own := protoMessageOf(t, protoFile(t, "events"), ownPrediction)
	all := []protoCase{{Source{Format: FormatProtobuf}, own, own}}
	for _, name := range []string{"shop.v1.Outer.Prediction", "shop.v1.Outer.Mapped"} {
		full, less := protoFile(t, "shop"), protoFile(t, "shop")
		outer := less.GetFile()[len(less.GetFile())-1].GetMessageType()[1]
		event := outer.GetNestedType()[0]
		event.Field = slices.DeleteFunc(event.GetField(), func(f *descriptorpb.FieldDescriptorProto) bool { return f.GetName() == "request" || f.GetName() == "codes" })
		all = append(all, protoCase{shopSource(t, name), protoMessageOf(t, full, name), protoMessageOf(t, less, name)})
	}
	return all
}

func randomEvent(t testing.TB, r *rand.Rand, c protoCase) []byte {
	t.Helper()
	m := dynamicpb.NewMessage(c.message)
	fillProto(r, m)
	b, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Messages that Protobuf's own code writes are read as it reads them.
func TestProtobufAgainstReflection(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 4))
	for _, c := range protoCases(t) {
		t.Run(string(c.message.FullName()), func(t *testing.T) {
			d, into := openTest(t, c.source)
			for i := range 2000 {
				b := randomEvent(t, r, c)
				if err := d.Append(Record{Offset: int64(i), Known: testKnown, Value: b}); err != nil {
					t.Fatalf("%x: %v", b, err)
				}
				compareProto(t, c, into.Predictions, b)
			}
			checkColumns(t, into.Predictions)
		})
	}
}

// compareProto compares the last row with what reflection reads.
func compareProto(t *testing.T, c protoCase, p *Predictions, b []byte) {
	t.Helper()
	m := dynamicpb.NewMessage(c.reader)
	if err := proto.Unmarshal(b, m); err != nil {
		t.Fatalf("%x was stored, and Protobuf says %v", b, err)
	}
	got, want := readRow(p, p.Len()-1), protoRow(m)
	if a, b := fmt.Sprint(valuesOf(got)), fmt.Sprint(valuesOf(want)); a != b {
		t.Fatalf("got\n%s\nwant\n%s", a, b)
	}
}

// valuesOf is a row without pointers; fmt prints maps in order, and NaN.
func valuesOf(r *oracleRow) []any {
	number := func(v *float64) any {
		if v == nil {
			return "-"
		}
		return *v
	}
	return []any{r.id, r.model, r.deploy, r.stage, r.predicted, r.status, r.ts, number(r.score), number(r.value), number(r.latency), r.weight, r.numbers, r.categories, r.segments, r.nulls}
}

// damagedProto decodes damaged bytes: what is stored is what reflection reads,
// and what is refused leaves nothing behind.
func damagedProto(t *testing.T, c protoCase, good, body []byte) bool {
	t.Helper()
	d, into := openTest(t, c.source)
	appendGood(t, d, good)
	before := dump(into)
	err := d.Append(Record{Offset: 2, Known: testKnown, Value: body})
	if err == nil {
		compareProto(t, c, into.Predictions, body)
	} else if dump(into) != before {
		t.Fatalf("a refused event changed the columns: %v", err)
	}
	appendGood(t, d, good)
	checkAll(t, into)
	return err == nil
}

func TestMutatedProtobuf(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 6))
	cases := protoCases(t)
	stored, refused := 0, 0
	for i := range 6_000 {
		c := cases[i%len(cases)]
		good := randomEvent(t, r, c)
		body := slices.Clone(good)
		for range 1 + r.IntN(2) {
			damage(r, body)
		}
		if r.IntN(20) == 0 {
			body = body[:r.IntN(len(body))]
		}
		if damagedProto(t, c, good, body) {
			stored++
		} else {
			refused++
		}
	}
	if stored < 300 || refused < 300 {
		t.Errorf("%d stored, %d refused: the test has become blind", stored, refused)
	}
}

func FuzzProtobuf(f *testing.F) {
	cases := protoCases(f)
	r := rand.New(rand.NewPCG(1, 1))
	var goods [][]byte
	for i, c := range cases {
		goods = append(goods, randomEvent(f, r, c))
		f.Add(uint8(i), goods[i])
	}
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		i := int(which) % len(cases)
		damagedProto(t, cases[i], goods[i], body)
	})
}

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
