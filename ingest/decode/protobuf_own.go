package decode

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// ownPrediction is our own message of predictions. Its features are spread over
// a map for each type, which is smaller and faster than one map of unions.
const ownPrediction = "plumbline.v1.Prediction"

// ownField is a field of our own messages: those of docs/events.proto, which a
// test compares with this.
type ownField struct {
	name   string
	number int32
	typ    string // as a .proto file spells it
	oneof  string
}

func ownMessages() map[Kind][]ownField {
	return map[Kind][]ownField{
		KindPredictions: {
			{"prediction_id", 1, "string", ""}, {"model", 2, "string", ""}, {"deploy_hash", 3, "string", ""},
			{"ts", 4, "int64", ""}, {"stage", 5, "string", ""},
			{"numbers", 6, "map<string, double>", ""}, {"categories", 7, "map<string, string>", ""},
			{"flags", 8, "map<string, bool>", ""}, {"nulls", 9, "repeated string", ""},
			{"segments", 10, "map<string, string>", ""}, {"score", 11, "optional double", ""},
			{"predicted_class", 12, "string", "predicted"}, {"predicted_value", 13, "double", "predicted"}, {"predicted_flag", 14, "bool", "predicted"},
			{"latency_ms", 15, "optional double", ""}, {"status", 16, "string", ""}, {"weight", 17, "optional double", ""},
			{"propensity", 18, "optional double", ""}, {"disagreement", 19, "optional double", ""}, {"explained", 20, "optional bool", ""},
		},
		KindLabels: {
			{"prediction_id", 1, "string", ""}, {"model", 2, "string", ""}, {"ts", 3, "int64", ""},
			{"label_class", 4, "string", "label"}, {"label_value", 5, "double", "label"}, {"label_flag", 6, "bool", "label"},
			{"withdrawn", 7, "google.protobuf.NullValue", "label"},
		},
		KindDeployments: {
			{"model", 1, "string", ""}, {"deploy_hash", 2, "string", ""}, {"ts", 3, "int64", ""}, {"stage", 4, "string", ""},
			{"version", 5, "string", ""}, {"by", 6, "string", ""}, {"commit", 7, "string", ""},
			{"dataset_hash", 8, "string", ""}, {"feature_job", 9, "string", ""}, {"note", 10, "string", ""},
		},
		KindKPIs: {
			{"model", 1, "string", ""}, {"name", 2, "string", ""}, {"ts", 3, "int64", ""}, {"value", 4, "optional double", ""}, {"segment", 5, "string", ""},
		},
	}
}

func ownName(kind Kind) string {
	switch kind {
	case KindPredictions:
		return "Prediction"
	case KindLabels:
		return "Label"
	case KindKPIs:
		return "KPI"
	}
	return "Deployment"
}

// ownFile returns the descriptor of docs/events.proto.
func ownFile() *descriptorpb.FileDescriptorProto {
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("plumbline/v1/events.proto"), Package: proto.String("plumbline.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/struct.proto"},
	}
	for _, kind := range Kinds() {
		m := &descriptorpb.DescriptorProto{Name: proto.String(ownName(kind))}
		declared := map[string]int32{}
		var optional []*descriptorpb.FieldDescriptorProto
		for _, f := range ownMessages()[kind] {
			d := f.descriptor(m)
			if f.oneof != "" {
				if _, ok := declared[f.oneof]; !ok {
					declared[f.oneof] = int32(len(m.OneofDecl))
					m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String(f.oneof)})
				}
				d.OneofIndex = proto.Int32(declared[f.oneof])
			}
			if d.GetProto3Optional() {
				optional = append(optional, d)
			}
			m.Field = append(m.Field, d)
		}
		for _, d := range optional { // behind the others, as protoc has them
			d.OneofIndex = proto.Int32(int32(len(m.OneofDecl)))
			m.OneofDecl = append(m.OneofDecl, &descriptorpb.OneofDescriptorProto{Name: proto.String("_" + d.GetName())})
		}
		file.MessageType = append(file.MessageType, m)
	}
	return file
}

// descriptor returns the descriptor of a field, and adds the entry of a map to
// its message.
func (f ownField) descriptor(m *descriptorpb.DescriptorProto) *descriptorpb.FieldDescriptorProto {
	typ, d := f.typ, &descriptorpb.FieldDescriptorProto{
		Name: proto.String(f.name), Number: proto.Int32(f.number),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
	if rest, ok := strings.CutPrefix(typ, "optional "); ok {
		typ, d.Proto3Optional = rest, proto.Bool(true)
	}
	if rest, ok := strings.CutPrefix(typ, "repeated "); ok {
		typ, d.Label = rest, descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum()
	}
	if value, ok := strings.CutPrefix(typ, "map<string, "); ok {
		entry := strings.ToUpper(f.name[:1]) + f.name[1:] + "Entry"
		m.NestedType = append(m.NestedType, &descriptorpb.DescriptorProto{
			Name: proto.String(entry), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
			Field: []*descriptorpb.FieldDescriptorProto{
				ownField{"key", 1, "string", ""}.descriptor(nil),
				ownField{"value", 2, strings.TrimSuffix(value, ">"), ""}.descriptor(nil),
			},
		})
		d.Label, d.Type = descriptorpb.FieldDescriptorProto_LABEL_REPEATED.Enum(), descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum()
		d.TypeName = proto.String(".plumbline.v1." + m.GetName() + "." + entry)
		return d
	}
	switch typ {
	case "string":
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum()
	case "double":
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_DOUBLE.Enum()
	case "int64":
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_INT64.Enum()
	case "bool":
		d.Type = descriptorpb.FieldDescriptorProto_TYPE_BOOL.Enum()
	default:
		d.Type, d.TypeName = descriptorpb.FieldDescriptorProto_TYPE_ENUM.Enum(), proto.String("."+typ)
	}
	return d
}

// compileOwn compiles our own message for a kind of events.
func compileOwn(kind Kind) (*protoPlan, *Error) {
	known, err := protoFiles([]*descriptorpb.FileDescriptorProto{ownFile()})
	if err != nil {
		return nil, bad(Unparsable, fmt.Sprintf("our own messages: %s", err))
	}
	name := protoreflect.FullName("plumbline.v1." + ownName(kind))
	found, err := known.FindDescriptorByName(name)
	m, ok := found.(protoreflect.MessageDescriptor)
	if err != nil || !ok {
		return nil, bad(Unparsable, fmt.Sprintf("our own messages have no %s", name))
	}
	return compileProto(string(name), m, kind)
}
