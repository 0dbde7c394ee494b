package decode

import (
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
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
	case "propensity":
		r.propensity = n
	case "disagreement":
		r.disagreement = n
	case "explained":
		v := share(text == "true")
		r.explained = &v
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
	if f.Name() == "propensity" && f.Kind() == protoreflect.DoubleKind {
		return protoreflect.ValueOfFloat64(1 - r.Float64())
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
		event.Field = slices.DeleteFunc(event.GetField(), func(f *descriptorpb.FieldDescriptorProto) bool {
			return f.GetName() == "request" || f.GetName() == "codes"
		})
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
	return []any{r.id, r.model, r.deploy, r.stage, r.predicted, r.status, r.ts, number(r.score), number(r.value), number(r.latency), number(r.propensity), r.weight, r.numbers, r.categories, r.segments, r.nulls}
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
