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
		{"lines", azure, strings.ReplaceAll(example(t, "azureml/model_inputs.json"), "\n", "") + "\n" + `{"type":"azureml.inference.other"}`, 3, 0, "half request", "skipped"},
		{"refused as a whole", azure, `{"type":"azureml.inference.request"}`, 1, 1, "", ""},
		{"no JSON", azure, "\x00\x01", 1, 1, "", ""},
	} {
		report, err := CheckSource([]byte(tt.text), tt.source, at.AddDate(0, 7, 0), decode.DefaultLimits())
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var fields, hints strings.Builder
		for _, e := range report.Events {
			for _, f := range e.Fields {
				fields.WriteString(f.Name + " " + f.Value + "\n")
			}
			hints.WriteString(strings.Join(e.Hints, "\n"))
		}
		if len(report.Events) != tt.events || report.Refused() != tt.bad || !strings.Contains(fields.String(), tt.fields) || !strings.Contains(hints.String(), tt.hinted) {
			t.Errorf("%s: %d events, %d refused\n%s\n%s", tt.name, len(report.Events), report.Refused(), &fields, &hints)
		}
	}
	if _, err := CheckSource([]byte(" \n"), azure, at, decode.DefaultLimits()); !errors.Is(err, ErrNone) {
		t.Errorf("an empty sample: %v", err)
	}
}
