package ask

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
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

// What the world plants, deploy v2 in region eu, has the greatest shares.
func whyOverHTTP(t *testing.T, asker *Asker) {
	w := get(Handler(asker, slog.New(slog.DiscardHandler)), "model=pay&to=2026-10-29T00:00Z&window=4d&measure=psi,js&why=1")
	var answer struct {
		Why []struct {
			Reference string
			Series    []struct {
				Series    plumbline.Series
				Share     float64
				Moves     []why.Move
				Divisions []why.Division
			}
			Run why.Run
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK || len(answer.Why) != 1 {
		t.Fatalf("%d %v: %s", w.Code, err, w.Body)
	}
	report := answer.Why[0]
	if len(report.Series) == 0 || report.Run.From != end.Add(-2*day) || report.Run.To != end {
		t.Errorf("%d series in breach, in %+v; v2 began two days before the end", len(report.Series), report.Run)
	}
	all := 0.0
	for _, s := range report.Series {
		all += s.Share
		if s.Series != "feature:kind" && s.Series != "feature:amount" {
			t.Errorf("%s is in breach", s.Series)
		}
		for _, d := range s.Divisions {
			sum := 0.0
			for _, p := range d.Parts {
				sum += p.Share
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Errorf("%s by %s: shares add up to %v", s.Series, d.By, sum)
			}
			if first := d.Parts[0]; d.By == why.ByDeploy && first.Name != "v2" || d.By == why.BySegment("region") && first.Name != "eu" {
				t.Errorf("%s by %s: %+v leads", s.Series, d.By, first)
			}
		}
		if s.Series == "feature:kind" && s.Moves[0].Values != "values the reference never had" {
			t.Errorf("kind moved: %+v", s.Moves[0])
		}
	}
	if math.Abs(all-1) > 1e-9 {
		t.Errorf("the series' shares add up to %v", all)
	}
}
