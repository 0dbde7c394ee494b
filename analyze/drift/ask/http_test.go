package ask

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// get asks the handler.
func get(handler http.Handler, query string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, Path+"?"+query, nil))
	return w
}

func overHTTP(t *testing.T, asker *Asker) {
	w := get(Handler(asker, slog.New(slog.DiscardHandler)), "model=pay&to=2026-10-29T00:00Z&reference=previous-deploy&reference=training&segment=region%3Deu&measure=psi,ks&feature=amount&series=score")
	var answer struct {
		Requests   int
		References []struct{ Reference, Of, Missing string }
		Rows       []struct {
			Series, Reference, Measure, Verdict, Why string
			Value, Low, High, P                      *float64
			Count                                    int
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v: %s", w.Code, err, w.Body)
	}
	if answer.Requests == 0 || len(answer.References) != 2 || len(answer.Rows) != 2*2*2 {
		t.Fatalf("%+v", answer)
	}
	for _, r := range answer.Rows {
		if missing := r.Verdict == "missing"; missing != (r.Value == nil) || missing && r.Why == "" {
			t.Errorf("%+v", r)
		}
	}
}

func TestWrongParametersAreNamed(t *testing.T) {
	handler := Handler(&Asker{now: time.Now}, slog.New(slog.DiscardHandler))
	for query, want := range map[string]string{
		"":                               "model: say which model",
		"model=m&window=1y":              "window: \"1y\"",
		"model=m&to=yesterday":           "to: \"yesterday\"",
		"model=m&reference=x":            "reference: reference \"x\": write training",
		"model=m&segment=eu":             "segment: \"eu\" is no segment: write key=value",
		"model=m&stage=beta":             "stage: \"beta\"",
		"model=m&measure=psi,foo":        "measure: \"foo\" is no measure: write all or some of psi",
		"model=m&series=latency":         "series: \"latency\"",
		"model=m&feature=":               "feature: is empty",
		"model=m&modle=m":                "modle: there is no such parameter",
		"model=m&model=n":                "model: give it once",
		"model=m&window=%zz":             "query string",
		"window=0h&segment=a&stage=test": "stage:",
	} {
		w := get(handler, query)
		if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %q", query, w.Code, w.Body, want)
		}
	}
}

func TestParamsSayEveryMistake(t *testing.T) {
	_, err := Params{Window: "x", To: "y", Stage: "z"}.Question(time.Now())
	for _, name := range []string{"model", "window", "to", "stage"} {
		if !strings.Contains(err.Error(), name+": ") {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if p, ok := errors.AsType[ParameterError](err); !ok || p.Name != "model" {
		t.Errorf("the first mistake is %+v", p)
	}
}
