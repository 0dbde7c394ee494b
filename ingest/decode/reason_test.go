package decode

import (
	"fmt"
	"strings"
	"testing"
)

// What a producer has to change should be told by the error alone.
func TestErrorsThatNameTheCause(t *testing.T) {
	predictions := []Kind{KindPredictions}
	framedAvro := append(append([]byte{0, 0, 0, 0, 7}, plainEvent()...), 0)
	mapped := Source{Format: FormatMapping, Holds: predictions, Mapping: Mapping{MappingFile: "m.yml", MappingText: goodMapping}}
	nested := mapped
	nested.MappingText += "  features: /x\n"
	logs := Source{Format: FormatKServe, Holds: predictions, Deploy: "d"}
	event := func(data string) []byte {
		return []byte(`{"specversion":"1.0","id":"1","type":"x.inference.request","time":"2026-09-21T14:13:20Z","inferenceservicename":"m"` + data + `}`)
	}
	operation := fmt.Sprintf(`{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"timeUnixNano":"%d000000","eventName":"gen_ai.client.inference.operation.details","attributes":[{"key":"gen_ai.response.finish_reasons","value":{}},{"key":"gen_ai.response.id","value":{"stringValue":"r"}}]}]}]}]}`, int64(testKnown))
	for name, c := range map[string]struct {
		source Source
		rec    Record
		want   string
	}{
		"base64":            {logs, Record{Value: event(`,"data_base64":"e30="`)}, `bad_value: field "data_base64": data_base64 is not read`},
		"no data":           {logs, Record{Value: event("")}, `missing_field: field "data": send the payload`},
		"binary tensors":    {logs, Record{Value: []byte("{\"inputs\":[]}\x00\x00\x80\x3f"), Headers: kserve("request")}, "unparsable: something follows the JSON: tensors in the binary extension"},
		"finish reasons":    {Source{Format: FormatGenAI, Holds: predictions, Model: "m", Deploy: "d"}, Record{Value: []byte(operation)}, `field "resourceLogs[0].scopeLogs[0].logRecords[0].attributes[0].value": send finish reasons`},
		"framed JSON":       {Source{Format: FormatJSON, Holds: predictions}, Record{Value: []byte("\x00\x00\x00\x00\x07{}")}, "unparsable: the record begins with the byte 0 and a schema id"},
		"framed labels":     {Source{Format: FormatJSON, Holds: []Kind{KindLabels}}, Record{Value: []byte("\x00\x00\x00\x00\x07{}")}, "unparsable: the record begins with the byte 0 and a schema id"},
		"framed mapping":    {mapped, Record{Value: []byte("\x00\x00\x00\x00\x07{}")}, "unparsable: the record begins with the byte 0 and a schema id"},
		"framed Avro":       {avroFileSource(plainSchema(""), KindPredictions), Record{Value: framedAvro}, "set schema_registry"},
		"framed Protobuf":   {Source{Format: FormatProtobuf, Holds: predictions}, Record{Value: []byte{0, 0, 0, 0, 7, 0, 10, 1, 'p'}}, "set schema_registry"},
		"nested in tables":  {Source{Format: FormatAzureML, Holds: predictions, Model: "m", Deploy: "d"}, Record{Value: []byte(`{"specversion":"1.0","type":"azureml.inference.inputs","time":"2026-09-21T14:13:20Z","correlationid":"r","data":[{"a":{"b":1}}]}`)}, `too_nested: field "data[0].a": a feature is a number, a string, a boolean or null, not an object or array; flatten it, or set nested: skip`},
		"nested in mapping": {nested, Record{Value: fmt.Appendf(nil, `{"id":"1","ts":%d,"x":{"a":[1]}}`, int64(testKnown))}, `too_nested: field "x.a": a feature is a number, a string, a boolean or null, not an object or array; flatten it, or set nested: skip`},
	} {
		d, _ := openShape(t, c.source)
		c.rec.Known = testKnown
		if err := d.Append(c.rec); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}
