package decode

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// truth is a record of any shape with one label, or one thing predicted.
type truth struct {
	name   string
	source Source
	value  []byte
	field  string // that is refused; "" is none
}

// checkTruths decodes each record by itself.
func checkTruths(t *testing.T, hint string, all []truth) {
	t.Helper()
	for _, tt := range all {
		t.Run(string(tt.source.Format)+" "+tt.name, func(t *testing.T) {
			d, into := openTest(t, tt.source)
			err := d.Append(Record{Known: testKnown, Value: tt.value})
			var refused *Error
			var some *Refusals
			if errors.As(err, &some) {
				refused = some.Events[0].Error
			} else {
				errors.As(err, &refused)
			}
			rows := 0
			if into.Labels != nil {
				rows = into.Labels.Len()
			}
			if into.Predictions != nil {
				rows += into.Predictions.Len()
			}
			switch {
			case tt.field == "" && (err != nil || rows != 1):
				t.Errorf("%v, want one row:\n%s", err, dump(into))
			case tt.field != "" && (refused == nil || refused.Reason != BadValue || refused.Field != tt.field || !strings.Contains(refused.Hint, hint) || rows != 0):
				t.Errorf("%v, want %q refused with %q:\n%s", err, tt.field, hint, dump(into))
			}
		})
	}
}

func labelSource(s Source) Source {
	s.Holds = []Kind{KindLabels}
	return s
}

func labelJSON(label string) []byte {
	return fmt.Appendf(nil, `{"prediction_id":"p","model":"m","ts":%d,"label":%s}`, testKnown, label)
}

func avroLabelSource(label string) Source {
	return avroFileSource(`{"type":"record","name":"Label","fields":[{"name":"prediction_id","type":"string"},{"name":"model","type":"string"},
		{"name":"ts","type":"long"},{"name":"label","type":`+label+`}]}`, KindLabels)
}

func avroLabel() avroWire { return avroWire{}.text("p").text("m").long(testKnown) }

func protoLabel() pb { return pb{}.text(1, "p").text(2, "m").varint(3, testKnown) }

func mappedLabels(label string) Source {
	return labelSource(Source{Format: FormatMapping, Mapping: Mapping{MappingFile: "m.yml", MappingText: "labels: {prediction_id: /prediction_id, model: /model, ts: /ts, label: " + label + "}\n"}})
}

func captured(classes bool, label string) truth {
	s := labelSource(Source{Format: FormatSageMakerTruth, Model: "m"})
	s.Classes = classes
	return truth{fmt.Sprintf("%s, classes %t", label, classes), s,
		fmt.Appendf(nil, `{"groundTruthData":{"data":%q,"encoding":"CSV"},"eventMetadata":{"eventId":"p"},"eventVersion":"0"}`, label), ""}
}

func evaluated(score string) truth {
	return truth{score, labelSource(Source{Format: FormatGenAI, Model: "m", GenAI: GenAI{Evaluation: "Relevance"}}),
		fmt.Appendf(nil, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d000000","eventName":"gen_ai.evaluation.result","attributes":[
			{"key":"gen_ai.response.id","value":{"stringValue":"p"}},{"key":"gen_ai.evaluation.name","value":{"stringValue":"Relevance"}},
			{"key":"gen_ai.evaluation.score.value","value":{%s}}]}]}]}]}`, testKnown, score), ""}
}

func (tt truth) refused(field string) truth {
	tt.field = field
	return tt
}

// A label that is no finite number is no truth: stored, it would count as a wrong
// prediction of a model that may have been right.
func TestLabelsAreFinite(t *testing.T) {
	ours, column := labelSource(Source{Format: FormatJSON}), labelSource(Source{Format: FormatArrow, Model: "m"})
	cell := func(v string) []byte {
		return streamOf(t, texts("prediction_id", "p"), at(1), columnOf("label", arrow.PrimitiveTypes.Float64, v))
	}
	checkTruths(t, "null withdraws", []truth{
		{"NaN", ours, labelJSON("NaN"), "label"},
		{"infinity", ours, labelJSON("Infinity"), "label"},
		{"less than any", ours, labelJSON("-Infinity"), "label"},
		{"number", ours, labelJSON("1e308"), ""},
		{"class of that name", ours, labelJSON(`"NaN"`), ""},
		{"NaN", avroLabelSource(`"double"`), avroLabel().double(math.NaN()), "label"},
		{"infinity in a union", avroLabelSource(`["null","double","string"]`), avroLabel().long(1).double(math.Inf(1)), "label"},
		{"number", avroLabelSource(`"double"`), avroLabel().double(0.5), ""},
		{"NaN", labelSource(Source{Format: FormatProtobuf}), protoLabel().double(5, math.NaN()), "label"},
		{"number", labelSource(Source{Format: FormatProtobuf}), protoLabel().double(5, 0.5), ""},
		{"NaN", column, cell("NaN"), "label"},
		{"infinity", column, cell("-Inf"), "label"},
		{"number", column, cell("0.5"), ""},
		{"NaN", mappedLabels("/label"), labelJSON("NaN"), "label"},
		{"NaN as a class", mappedLabels("{at: /label, classes: true}"), labelJSON("NaN"), "label"},
		{"class", mappedLabels("{at: /label, classes: true}"), labelJSON("1"), ""},
		captured(false, "nan").refused("label"), captured(true, "nan").refused("label"), captured(true, "inf").refused("label"), captured(true, "1"),
		evaluated(`"doubleValue":"NaN"`).refused("label"), evaluated(`"doubleValue":0.5`),
	})
}

func columnOf(name string, typ arrow.DataType, rows ...string) column { return column{name, typ, rows} }

// Two identifiers that are whole numbers beyond 2^53-1 may be one float64, and a
// prediction of the one would be a hit where the truth is the other.
func TestLargeWholeNumbersAreNotRounded(t *testing.T) {
	const most, snowflake = 1<<53 - 1, 1234567890123456789
	ours, predictions := labelSource(Source{Format: FormatJSON}), Source{Format: FormatJSON}
	decimal := func(scale int) Source {
		return avroLabelSource(fmt.Sprintf(`{"type":"bytes","logicalType":"decimal","precision":30,"scale":%d}`, scale))
	}
	bigEndian := "\x11\x22\x10\xf4\x7d\xe9\x81\x15" // the snowflake
	segmented := avroFileSource(plainSchema(`,{"name":"segments","type":{"type":"map","values":{"type":"bytes","logicalType":"decimal","precision":30}}}`), KindPredictions)
	numbered := avroFileSource(plainSchema(`,{"name":"predicted","type":"long"},{"name":"features","type":{"type":"map","values":"long"}}`), KindPredictions)
	checkTruths(t, "send it as a text", []truth{
		{"largest", ours, labelJSON(fmt.Sprint(most)), ""},
		{"least", ours, labelJSON(fmt.Sprint(-most)), ""},
		{"one more", ours, labelJSON(fmt.Sprint(most + 1)), "label"},
		{"one less", ours, labelJSON(fmt.Sprint(-most - 1)), "label"},
		{"snowflake", ours, labelJSON(fmt.Sprint(snowflake)), "label"},
		{"snowflake as text", ours, labelJSON(fmt.Sprintf("%q", fmt.Sprint(snowflake))), ""},
		{"large measure", ours, labelJSON("1.5e300"), ""},
		{"large with a point", ours, labelJSON("12345678901234567.25"), ""},
		{"predicted", predictions, []byte(event(fmt.Sprintf(`,"predicted":%d`, snowflake))), "predicted"},
		{"predicted infinity", predictions, []byte(event(`,"predicted":-Infinity`)), ""},
		{"feature", predictions, []byte(event(fmt.Sprintf(`,"features":{"a":%d},"score":%d`, snowflake, snowflake))), ""},
		{"segment", predictions, []byte(event(fmt.Sprintf(`,"segments":{"a":%d}`, snowflake))), ""},
		{"vote", predictions, []byte(event(fmt.Sprintf(`,"votes":[1,%d]`, snowflake))), "votes"},
		{"long", avroLabelSource(`"long"`), avroLabel().long(snowflake), "label"},
		{"negative long", avroLabelSource(`"long"`), avroLabel().long(-snowflake), "label"},
		{"largest long", avroLabelSource(`"long"`), avroLabel().long(most), ""},
		{"whole decimal", decimal(0), avroLabel().text(bigEndian), "label"},
		{"decimal", decimal(2), avroLabel().text(bigEndian), ""},
		{"decimal as a segment", segmented, plainEvent().long(1).text("a").text(bigEndian).long(0), "segments.a"},
		{"predicted", numbered, plainEvent().long(snowflake).long(0), "predicted"},
		{"feature", numbered, plainEvent().long(1).long(1).text("a").long(snowflake).long(0), ""},
		{"int64", protoLabelSource("TYPE_INT64", ""), protoLabel().varint(4, snowflake), "label"},
		{"uint64 beyond int64", protoLabelSource("TYPE_UINT64", ""), protoLabel().varint(4, math.MaxUint64), "label"},
		{"largest", protoLabelSource("TYPE_UINT64", ""), protoLabel().varint(4, most), ""},
		{"int64", labelSource(Source{Format: FormatArrow, Model: "m"}), streamOf(t, texts("prediction_id", "p"), at(1), columnOf("label", arrow.PrimitiveTypes.Int64, fmt.Sprint(-snowflake))), "label"},
		{"largest int64", labelSource(Source{Format: FormatArrow, Model: "m"}), streamOf(t, texts("prediction_id", "p"), at(1), columnOf("label", arrow.PrimitiveTypes.Int64, fmt.Sprint(most))), ""},
		{"float64", labelSource(Source{Format: FormatArrow, Model: "m"}), streamOf(t, texts("prediction_id", "p"), at(1), columnOf("label", arrow.PrimitiveTypes.Float64, "1e20")), ""},
		{"predicted", Source{Format: FormatArrow, Model: "m", Deploy: "d"}, streamOf(t, texts("prediction_id", "p"), at(1), columnOf("predicted", arrow.PrimitiveTypes.Uint64, fmt.Sprint(uint64(math.MaxUint64)))), "predicted"},
		{"snowflake", mappedLabels("/label"), labelJSON(fmt.Sprint(snowflake)), "label"},
		{"large measure", mappedLabels("/label"), labelJSON("1e20"), ""},
		{"large class", mappedLabels("{at: /label, classes: true}"), labelJSON("1.2345678901234568e+18"), "label"},
		captured(false, fmt.Sprint(snowflake)).refused("groundTruthData.data[0][0]"), captured(true, "1.5e300").refused("groundTruthData.data[0][0]"), captured(false, "1.5e300"),
		evaluated(fmt.Sprintf(`"intValue":"%d"`, snowflake)).refused("resourceLogs[0].scopeLogs[0].logRecords[0].attributes[2].value.intValue"), evaluated(`"doubleValue":1e20`),
	})
}

// protoLabelSource has a schema of its own whose label is of the type.
func protoLabelSource(typ, name string) Source {
	file := &descriptorpb.FileDescriptorProto{Name: proto.String("own.proto"), Package: proto.String("own"), Syntax: proto.String("proto3"), Dependency: []string{"google/protobuf/wrappers.proto"}}
	message := &descriptorpb.DescriptorProto{Name: proto.String("Label")}
	for i, f := range [][3]string{{"prediction_id", "TYPE_STRING"}, {"model", "TYPE_STRING"}, {"ts", "TYPE_INT64"}, {"label", typ, name}} {
		field := &descriptorpb.FieldDescriptorProto{Name: proto.String(f[0]), Number: proto.Int32(int32(i + 1)),
			Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(), Type: descriptorpb.FieldDescriptorProto_Type(descriptorpb.FieldDescriptorProto_Type_value[f[1]]).Enum()}
		if f[2] != "" {
			field.TypeName = proto.String(f[2])
		}
		message.Field = append(message.Field, field)
	}
	file.MessageType = append(file.MessageType, message)
	set := &descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto), file}}
	text, err := proto.Marshal(set)
	if err != nil {
		panic(err) // of a set that stands above
	}
	return labelSource(Source{Format: FormatProtobuf, Schemas: Schemas{SchemaFile: "own.pb", SchemaText: text, Message: "own.Label"}})
}

// An empty text in a wrapper is a label that somebody sent, not the null that takes
// the labels before it back.
func TestEmptyWrappedLabelWithdrawsNothing(t *testing.T) {
	wrapped := protoLabelSource("TYPE_MESSAGE", ".google.protobuf.StringValue")
	message := func(b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(protoLabel(), 4, protowire.BytesType), b)
	}
	checkTruths(t, "send null to withdraw", []truth{
		{"empty message", wrapped, message(nil), "label"},
		{"empty text", wrapped, message(pb{}.text(1, "")), "label"},
		{"text", wrapped, message(pb{}.text(1, "late")), ""},
	})
	number := protoLabelSource("TYPE_MESSAGE", ".google.protobuf.DoubleValue")
	d, into := openTest(t, number)
	appendGood(t, d, message(nil))
	if v, ok := into.Labels.Value.At(0); !ok || v != 0 || into.Labels.Deleted[0] != 0 {
		t.Errorf("an empty DoubleValue is 0, got %v %t, deleted %d", v, ok, into.Labels.Deleted[0])
	}
}

// A name that a producer chose may be as long as its event. What refuses it goes
// into the headers of a dead letter, which must stay smaller than the event.
func TestErrorsAreShort(t *testing.T) {
	long := strings.Repeat("k", 300_000)
	featured := avroFileSource(plainSchema(`,{"name":"features","type":{"type":"map","values":"double"}}`), KindPredictions)
	deep := pb{}.text(1, long).double(2, 1)
	for name, tt := range map[string]struct {
		source Source
		value  []byte
	}{
		"json":     {Source{Format: FormatJSON}, []byte(`{"` + long + `":tru}`)},
		"feature":  {Source{Format: FormatJSON}, []byte(event(`,"features":{"` + long + `":{}}`))},
		"labels":   {labelSource(Source{Format: FormatJSON}), []byte(`{"` + long + `":tru}`)},
		"avro":     {featured, plainEvent().long(1).text(long).double(1).long(0)},
		"protobuf": {Source{Format: FormatProtobuf}, pb{}.text(1, "p").text(2, "m").text(3, "d").varint(4, testKnown).text(6, string(deep))},
		"arrow":    {Source{Format: FormatArrow}, streamOf(t, texts("prediction_id", "p"), texts("model", "m"), texts("deploy_hash", "d"), at(1), texts("features."+long, "x"))},
		"mapping":  {mappedLabels("/label"), []byte(`{"` + long + `":tru}`)},
	} {
		d, _ := openTest(t, tt.source)
		err := d.Append(Record{Known: testKnown, Value: tt.value})
		if err == nil || len(err.Error()) > 2*maxPath {
			t.Errorf("%s: %d bytes: %.100v", name, len(fmt.Sprint(err)), err)
		}
	}
}
