package sample_test

import (
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/sample"
)

func TestNumbersThatAreMeantAsClasses(t *testing.T) {
	report := func(field string, values ...string) sample.Report {
		var r sample.Report
		for _, v := range values {
			r.Events = append(r.Events, sample.Event{Fields: []sample.Field{{Name: "model", Value: `"m"`}, {Name: field, Value: v}}})
		}
		return r
	}
	for name, test := range map[string]struct {
		report  sample.Report
		classes map[string]string
		want    string
	}{
		"a regression":           {report("predicted", "number 0", "number 1", "number 0.5"), nil, ""},
		"0 and 1":                {report("predicted", "number 0", "number 1"), nil, `predicted of model "m" is the number 0 or 1 in all of 2 events: numbers make it a regression; if they are classes, send "1" or true`},
		"labels":                 {report("label", "number 0"), nil, `label of model "m" is the number 0 or 1`},
		"classes":                {report("predicted", `class "0"`, `class "1"`), map[string]string{"m": "1"}, ""},
		"declared, with a class": {report("predicted", "number 7", `class "kept"`), map[string]string{"m": "canceled"}, `predicted of model "m" is a number in 1 events, but the configuration declares classes: send a text or a boolean, such as "canceled"`},
		"declared":               {report("label", "number 0"), map[string]string{"m": ""}, `such as "1" or true`},
		"another is declared":    {report("label", "number 7"), map[string]string{"n": ""}, ""},
	} {
		got := strings.Join(test.report.NumberHints(test.classes), "\n")
		if !strings.Contains(got, test.want) || test.want == "" && got != "" {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
