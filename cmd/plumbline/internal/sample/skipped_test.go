package sample

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// A record that is no event of the topic is neither accepted nor refused, and the
// reason is said.
func TestSkippedRecordsAreNotAccepted(t *testing.T) {
	predictions := []decode.Kind{decode.KindPredictions}
	kserve := decode.Source{Topic: "t", Format: decode.FormatKServe, Holds: predictions}
	kserve.Deploy = "d"
	azure := decode.Source{Topic: "t", Format: decode.FormatAzureML, Holds: predictions}
	genai := decode.Source{Topic: "t", Format: decode.FormatGenAI, Holds: []decode.Kind{decode.KindLabels}}
	genai.Evaluation = "quality"
	headers := Envelope{Fields: []Header{
		{"ce_specversion", "1.0"}, {"ce_id", "r-1"}, {"ce_type", "org.kubeflow.serving.inference.request"},
		{"ce_time", "2026-03-01T09:59:59Z"}, {"ce_inferenceservicename", "income"},
	}}
	for _, tt := range []struct {
		name   string
		source decode.Source
		around Envelope
		text   string
		want   string
	}{
		{"empty tensor", kserve, headers, `{"inputs":[{"name":"age","datatype":"INT64","shape":[0],"data":[]}]}`, "no rows"},
		{"misspelt type", azure, Envelope{}, `{"type":"azureml.inference.Inputs"}`, `"azureml.inference.Inputs" is none that is read`},
		{"misspelt evaluation", genai, Envelope{}, `{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"eventName":"gen_ai.evaluation.result","timeUnixNano":"1772359200000000000","attributes":[
			{"key":"gen_ai.evaluation.name","value":{"stringValue":"qualty"}},{"key":"gen_ai.evaluation.score.value","value":{"doubleValue":1}}]}]}]}]}`, `gen_ai.evaluation.name "quality"`},
	} {
		report, err := CheckSource([]byte(tt.text), tt.around, tt.source, at, decode.DefaultLimits(), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if report.Skipped() != 1 || report.Accepted() != 0 || report.Refused() != 0 || !strings.Contains(report.Events[0].Skipped, tt.want) {
			t.Errorf("%s: %d skipped, %d accepted, %d refused: %+v; want one that is skipped for %q", tt.name, report.Skipped(), report.Accepted(), report.Refused(), report.Events, tt.want)
		}
	}
}

// A time in another unit than milliseconds has a hint in every shape.
func TestUnitsOfTimesInOtherShapes(t *testing.T) {
	mlflow := decode.Source{Topic: "t", Format: decode.FormatMLflow, Holds: []decode.Kind{decode.KindPredictions}, Model: "m"}
	served := func(time string) string {
		return `{"databricks_request_id":"0c20","request_time":` + time + `,"status_code":200,"request":"{\"instances\": [[1]]}","response":"{\"predictions\": [1]}","served_entity_id":"e1"}`
	}
	avro := decode.Source{Topic: "t", Format: decode.FormatAvro, Holds: []decode.Kind{decode.KindPredictions}}
	avro.SchemaFile = "p.avsc"
	avro.SchemaText = []byte(`{"type":"record","name":"P","fields":[{"name":"prediction_id","type":"string"},{"name":"model","type":"string"},{"name":"deploy_hash","type":"string"},{"name":"ts","type":"long"}]}`)
	row := func(ts int64) string { return string(binary.AppendVarint([]byte("\x02p\x02m\x02d"), ts)) }
	for _, tt := range []struct {
		name   string
		source decode.Source
		text   string
		want   string
	}{
		{"mlflow, seconds", mlflow, served("1772359200"), "request_time looks like Unix seconds"},
		{"mlflow, nanoseconds", mlflow, served("1772359200000000000"), "request_time looks like Unix nanoseconds"},
		{"mlflow, old", mlflow, served("1583000000000"), ""},
		{"avro, seconds", avro, row(1772359200), "Unix seconds"},
		{"avro, microseconds", avro, row(1772359200000000), "Unix microseconds"},
		{"avro, old", avro, row(1583000000000), ""},
	} {
		report, err := CheckSource([]byte(tt.text), Envelope{}, tt.source, at, decode.DefaultLimits(), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		e := report.Events[0]
		if all := strings.Join(e.Hints, "\n"); e.Refused == nil || !strings.Contains(all, tt.want) || tt.want == "" && all != "" {
			t.Errorf("%s: refused %v, hints %q, want %q", tt.name, e.Refused, all, tt.want)
		}
	}
}
