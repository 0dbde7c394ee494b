package sample

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

// The examples of ingest/decode serve here too.
func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../../ingest/decode/testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestCheckSource(t *testing.T) {
	mapping := decode.Source{Topic: "t", Format: decode.FormatMapping, Holds: []decode.Kind{decode.KindPredictions}}
	mapping.MappingFile, mapping.MappingText = "rows.yml", example(t, "mapping/rows.yml")
	azure := decode.Source{Topic: "t", Format: decode.FormatAzureML, Holds: []decode.Kind{decode.KindPredictions}}
	for _, tt := range []struct {
		name           string
		source         decode.Source
		text           string
		events, bad    int
		fields, hinted string
	}{
		{"rows of one record", mapping, example(t, "mapping/rows.json"), 3, 1, `prediction_id "b-7/2"`, ""},
		{"lines", azure, strings.ReplaceAll(example(t, "azureml/model_inputs.json"), "\n", "") + "\n" + `{"type":"azureml.inference.other"}`, 3, 0, "half request", `"azureml.inference.other" is none that is read`},
		{"refused as a whole", azure, `{"type":"azureml.inference.request"}`, 1, 1, "", ""},
		{"no JSON", azure, "\x00\x01", 1, 1, "", ""},
	} {
		report, err := CheckSource([]byte(tt.text), Envelope{}, tt.source, at.AddDate(0, 7, 0), decode.DefaultLimits(), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var fields, hints strings.Builder
		for _, e := range report.Events {
			for _, f := range e.Fields {
				fields.WriteString(f.Name + " " + f.Value + "\n")
			}
			hints.WriteString(strings.Join(e.Hints, "\n") + e.Skipped)
		}
		if len(report.Events) != tt.events || report.Refused() != tt.bad || !strings.Contains(fields.String(), tt.fields) || !strings.Contains(hints.String(), tt.hinted) {
			t.Errorf("%s: %d events, %d refused\n%s\n%s", tt.name, len(report.Events), report.Refused(), &fields, &hints)
		}
	}
	if _, err := CheckSource([]byte(" \n"), Envelope{}, azure, at, decode.DefaultLimits(), nil); !errors.Is(err, ErrNone) {
		t.Errorf("an empty sample: %v", err)
	}
}

// What a platform says in headers and key is part of a sample.
func TestCheckSourceWithHeaders(t *testing.T) {
	holds := []decode.Kind{decode.KindPredictions}
	kserve := decode.Source{Topic: "t", Format: decode.FormatKServe, Holds: holds, DeployHeader: "deploy"}
	seldon := decode.Source{Topic: "seldon.prod.model.income.inputs", Format: decode.FormatSeldon, Holds: holds, DeployHeader: "deploy"}
	const payload = `{"inputs":[{"name":"age","datatype":"INT64","shape":[1],"data":[42]}]}`
	headers := []Header{
		{"ce_specversion", "1.0"}, {"ce_id", "r-1"}, {"ce_type", "org.kubeflow.serving.inference.request"},
		{"ce_time", "2026-03-01T09:59:59Z"}, {"ce_inferenceservicename", "income"}, {"deploy", "d1"},
	}
	for _, tt := range []struct {
		name   string
		source decode.Source
		around Envelope
		want   string
	}{
		{"kserve", kserve, Envelope{Fields: headers}, `prediction_id "r-1" model "income" deploy_hash "d1"`},
		{"kserve without headers", kserve, Envelope{}, "--header"},
		{"seldon", seldon, Envelope{Key: []byte("k-1"), Fields: headers[5:]}, `prediction_id "k-1" model "income" deploy_hash "d1"`},
		{"seldon without a key", seldon, Envelope{}, "--key"},
	} {
		report, err := CheckSource([]byte(payload), tt.around, tt.source, at, decode.DefaultLimits(), nil)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var told strings.Builder
		for _, e := range report.Events {
			for _, f := range e.Fields {
				told.WriteString(f.Name + " " + f.Value + " ")
			}
		}
		told.WriteString(strings.Join(report.Hints, " "))
		if !strings.Contains(told.String(), tt.want) || (report.Refused() == 0) != (len(report.Hints) == 0) {
			t.Errorf("%s: %s; %+v", tt.name, &told, report.Events)
		}
	}
}
