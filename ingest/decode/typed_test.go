package decode

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
)

// floatMessage is the descriptor set of a prediction with a segment of 32 bits.
func floatMessage(t *testing.T) []byte {
	t.Helper()
	field := func(name string, n int32, kind descriptorpb.FieldDescriptorProto_Type) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: kind.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum()}
		if kind == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE {
			f.TypeName = proto.String(".S")
		}
		return f
	}
	const text = descriptorpb.FieldDescriptorProto_TYPE_STRING
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{{
		Name: proto.String("p.proto"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("P"), Field: []*descriptorpb.FieldDescriptorProto{
				field("prediction_id", 1, text), field("model", 2, text), field("deploy_hash", 3, text),
				field("ts", 4, descriptorpb.FieldDescriptorProto_TYPE_INT64), field("segments", 5, descriptorpb.FieldDescriptorProto_TYPE_MESSAGE),
			}},
			{Name: proto.String("S"), Field: []*descriptorpb.FieldDescriptorProto{field("dose", 1, descriptorpb.FieldDescriptorProto_TYPE_FLOAT)}},
		},
	}}}
	b, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A float of 32 bits is one segment, whatever the shape it came in (TestArrowTypes
// has arrow's).
func TestSegmentsOfFloats(t *testing.T) {
	avro := avroFileSource(plainSchema(`,{"name":"segments","type":{"type":"record","name":"S","fields":[{"name":"dose","type":"float"}]}}`), KindPredictions)
	buf := Source{Format: FormatProtobuf, Schemas: Schemas{SchemaFile: "p.pb", SchemaText: floatMessage(t), Message: "P"}}
	for v, want := range map[float32]string{0.1: "0.1", 16777216: "1.6777216e+07", 2.5: "2.5"} {
		bits := math.Float32bits(v)
		message := pb(nil).text(1, "p").text(2, "m").text(3, "d").varint(4, testKnown)
		message = message.text(5, string(protowire.AppendFixed32(protowire.AppendTag(nil, 1, protowire.Fixed32Type), bits)))
		for _, c := range []struct {
			source Source
			value  []byte
		}{{avro, binary.LittleEndian.AppendUint32(plainEvent(), bits)}, {buf, message}} {
			d, into := openTest(t, c.source)
			if err := d.Append(Record{Known: testKnown, Value: c.value}); err != nil {
				t.Fatalf("%s: %v", c.source.Format, err)
			}
			if got := readRow(into.Predictions, 0).segments; fmt.Sprint(got) != "map[dose:"+want+"]" {
				t.Errorf("%s: %v, want dose %s", c.source.Format, got, want)
			}
		}
	}
}
