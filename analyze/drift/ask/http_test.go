package ask

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/serve"
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

// A window is bounded in the whole hours that it is read in.
func TestTheLongestWindowIsNamed(t *testing.T) {
	for now, want := range map[time.Time]int{
		end:                        http.StatusServiceUnavailable,
		end.Add(time.Second):       http.StatusBadRequest,
		end.Add(59 * time.Minute):  http.StatusBadRequest,
		end.Add(-30 * time.Minute): http.StatusBadRequest,
	} {
		handler := newHandler(&Asker{now: func() time.Time { return now }}, slog.New(slog.DiscardHandler), time.Minute)
		for range serve.MostAtOnce {
			handler.Turns <- struct{}{} // a question that is accepted is asked of nobody
		}
		w := get(handler, "model=m&window=400d")
		if w.Code != want || want == http.StatusBadRequest && !strings.HasPrefix(w.Body.String(), "window: \"400d\" until ") {
			t.Errorf("%s: %d %s, want %d", now, w.Code, w.Body, want)
		}
		if w := get(handler, "model=m&window=399d"); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%s: %d %s, want that 399d are accepted", now, w.Code, w.Body)
		}
	}
}

// The work of a question is bounded, and what makes it too much is named.
func TestTheWorkOfAQuestionIsBounded(t *testing.T) {
	handler := newHandler(&Asker{now: func() time.Time { return end }}, slog.New(slog.DiscardHandler), time.Minute)
	for range serve.MostAtOnce {
		handler.Turns <- struct{}{}
	}
	const long = "&reference=sliding:400d&reference=sliding:399d&reference=sliding:398d&reference=sliding:397d&reference=sliding:396d"
	for query, want := range map[string]string{
		"model=m&reference=auto":                                "",
		"model=m&reference=auto&window=7d&why=1":                "",
		"model=m&reference=auto&window=28d":                     "",
		"model=m&reference=auto&window=90d":                     "window: a window of 90d with these references reads 6947",
		"model=m&window=400d" + long:                            "",
		"model=m&window=400d&why=1" + long:                      "reference: a window of 400d with these references reads 4780 days of rollups, at most 2500 may be",
		"model=m&reference=same-hours:57w":                      "",
		"model=m&window=90d&reference=same-hours:4w":            "",
		"model=m&window=90d&reference=same-hours:57w":           "window: a window of 90d with these references reads 5220 days",
		"model=m" + long + strings.ReplaceAll(long, ":3", ":2"): "reference: ",
	} {
		w := get(handler, query)
		if want == "" {
			if w.Code != http.StatusServiceUnavailable {
				t.Errorf("%s: %d %s, want that it is accepted", query, w.Code, w.Body)
			}
			continue
		}
		if w.Code != http.StatusBadRequest || !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %q", query, w.Code, w.Body, want)
		}
	}
	if w := get(handler, "model=m"+strings.Repeat("&feature=abcdefgh", 4000)); w.Code != http.StatusRequestURITooLong {
		t.Errorf("4000 features: %d %s", w.Code, w.Body)
	}
}

// gate holds every statement until it is opened, then asks the database.
type gate struct {
	drift.Querier
	came chan struct{}
	open chan struct{}
}

func (g gate) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	select {
	case g.came <- struct{}{}:
	default:
	}
	select {
	case <-g.open:
		return g.Querier.Query(ctx, query, args...)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// boundedOverHTTP: so many questions at a time and no more, each within its time.
func boundedOverHTTP(t *testing.T, conn drift.Querier) {
	const query = "model=pay&to=2026-10-29T00:00Z&feature=amount"
	log := slog.New(slog.DiscardHandler)
	g := gate{Querier: conn, came: make(chan struct{}, 1), open: make(chan struct{})}
	handler := newHandler(newAsker(t, g), log, time.Minute)
	codes := make(chan int, serve.MostAtOnce)
	for range serve.MostAtOnce {
		go func() { codes <- get(handler, query).Code }()
	}
	for len(handler.Turns) < serve.MostAtOnce {
		select {
		case code := <-codes:
			t.Fatalf("a question is answered before its statements: %d", code)
		case <-g.came:
		}
	}
	w := get(handler, query)
	if seconds, err := strconv.Atoi(w.Header().Get("Retry-After")); w.Code != http.StatusServiceUnavailable || err != nil || seconds < 1 {
		t.Errorf("beyond %d questions: %d %s, Retry-After %q", serve.MostAtOnce, w.Code, w.Body, w.Header().Get("Retry-After"))
	}
	close(g.open)
	for range serve.MostAtOnce {
		if code := <-codes; code != http.StatusOK {
			t.Errorf("a question that had its turn: %d", code)
		}
	}
	if w := get(handler, query); w.Code != http.StatusOK {
		t.Errorf("after they are answered: %d %s", w.Code, w.Body)
	}
	late := newHandler(newAsker(t, gate{Querier: conn, open: make(chan struct{})}), log, time.Millisecond)
	if w := get(late, query); w.Code != http.StatusGatewayTimeout || !strings.Contains(w.Body.String(), "no answer within 1ms") {
		t.Errorf("a question without an answer in time: %d %s", w.Code, w.Body)
	}
	if len(late.Turns) != 0 {
		t.Error("a question that was given up keeps its turn")
	}
}

// Comparing stops with the question, not only reading.
func TestComparingStopsWithTheQuestion(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	a := Answer{}
	if err := a.compare(ctx, Question{Series: []plumbline.Series{"score"}}); !errors.Is(err, context.Canceled) || len(a.Rows) != 0 {
		t.Errorf("%v, %d rows", err, len(a.Rows))
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
