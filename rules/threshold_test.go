package rules

import (
	"strings"
	"testing"
)

// TestThresholdsAreNumbers holds what a good event is to one finite number, said once.
func TestThresholdsAreNumbers(t *testing.T) {
	const number = `; write a finite number in quotes, such as "300"`
	for name, tt := range map[string]struct{ annotations, objective, want string }{
		"a number":           {`plumbline.dev/op: lte, plumbline.dev/value: "300"`, "target: 0.99", ""},
		"a number in full":   {`plumbline.dev/op: lte, plumbline.dev/value: "3.5e2"`, "target: 0.99", ""},
		"a comma":            {`plumbline.dev/op: lte, plumbline.dev/value: "1,000"`, "target: 0.99", `x.yml:5: metadata.annotations.plumbline.dev/value: "1,000" is no number` + number},
		"a unit":             {`plumbline.dev/op: lte, plumbline.dev/value: "0.3s"`, "target: 0.99", `plumbline.dev/value: "0.3s" is no number` + number},
		"two numbers":        {`plumbline.dev/op: lte, plumbline.dev/value: "3 4"`, "target: 0.99", `plumbline.dev/value: "3 4" is no number` + number},
		"nothing":            {`plumbline.dev/op: lte, plumbline.dev/value: ""`, "target: 0.99", `plumbline.dev/value: "" is no number` + number},
		"not a number":       {`plumbline.dev/op: lte, plumbline.dev/value: "NaN"`, "target: 0.99", `plumbline.dev/value: "NaN" is no number` + number},
		"no bound at all":    {`plumbline.dev/op: lte, plumbline.dev/value: "Inf"`, "target: 0.99", `plumbline.dev/value: "Inf" is no number` + number},
		"both alike":         {`plumbline.dev/op: lte, plumbline.dev/value: "300"`, "target: 0.99, op: lte, value: 300.0", ""},
		"each a half":        {`plumbline.dev/value: "300"`, "target: 0.99, op: lte", ""},
		"two values":         {`plumbline.dev/op: lte, plumbline.dev/value: "300"`, "target: 0.99, op: lte, value: 500", "x.yml:10: spec.objectives[0].value: 500 is not the 300 of metadata.annotations.plumbline.dev/value; keep one of them"},
		"two comparisons":    {`plumbline.dev/op: gte, plumbline.dev/value: "300"`, "target: 0.99, op: lte", "x.yml:10: spec.objectives[0].op: lte is not the gte of metadata.annotations.plumbline.dev/op; keep one of them"},
		"no comparison":      {`plumbline.dev/op: below, plumbline.dev/value: "300"`, "target: 0.99", `x.yml:5: metadata.annotations.plumbline.dev/op: "below" is no comparison; write lt, lte, gt or gte`},
		"what is wrong once": {`plumbline.dev/op: lte, plumbline.dev/value: "300"`, "target: 0.99, op: below, value: a", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse("x.yml", []byte(`apiVersion: openslo/v1
kind: SLO
metadata:
  name: a
  annotations: {plumbline.dev/owner: o, plumbline.dev/sli: latency, `+tt.annotations+`}
spec:
  service: m
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{`+tt.objective+`}]
`))
			switch {
			case name == "what is wrong once":
				if err == nil || strings.Count(err.Error(), "\n") != 1 || strings.Contains(err.Error(), "keep one") {
					t.Errorf("got %v", err)
				}
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n")):
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}
