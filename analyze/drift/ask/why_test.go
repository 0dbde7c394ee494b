package ask

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/analyze/drift/why"
)

func TestBreachesAreTheSeriesByTheirEffect(t *testing.T) {
	row := func(series plumbline.Series, reference, verdict string, debiased float64) Row {
		return Row{Series: series, Reference: reference, Verdict: verdict, Result: measure.Result{Debiased: debiased, MinEffect: .5}}
	}
	a := Answer{Rows: []Row{
		row("score", "training", plumbline.VerdictBreach, 1), row("feature:x", "training", plumbline.VerdictBreach, 2),
		row("score", "training", plumbline.VerdictBreach, 3), row("feature:y", "training", plumbline.VerdictOK, 9),
		row("feature:z", "auto", plumbline.VerdictBreach, 9),
	}}
	series, effects := a.breaches("training")
	if fmt.Sprint(series) != "[score feature:x]" || effects["score"] != 6 || effects["feature:x"] != 4 {
		t.Errorf("%v, %v", series, effects)
	}
}

func TestWhyIsAParameterAndInTheJSON(t *testing.T) {
	for text, want := range map[string]bool{"1": true, "0": false, "": false} {
		if p, err := paramsOf("model=m&why=" + text); err != nil || p.Why != want {
			t.Errorf("why=%s: %v, %v", text, p.Why, err)
		}
	}
	var mistake ParameterError
	if _, err := paramsOf("model=m&why=yes"); !errors.As(err, &mistake) || mistake.Name != "why" {
		t.Errorf("why=yes: %v", err)
	}
	body, err := json.Marshal(Answer{Why: []Why{{Reference: "training", Report: why.Report{Series: []why.Explained{{Series: "score", Share: 1}}}}}})
	if err != nil || !strings.Contains(string(body), `"why":[{"reference":"training","left":0,"series":[{"series":"score"`) {
		t.Errorf("%s, %v", body, err)
	}
}
