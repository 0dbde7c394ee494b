package promapi

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// insert writes findings of the model named: rows are tuples of at in seconds after
// origin, value, verdict.
func insert(t *testing.T, db *storage.DB, columns, values, rows string) {
	t.Helper()
	statement := fmt.Sprintf(`INSERT INTO findings (at, %s, value, low, high, p, coverage, verdict)
SELECT toDateTime64(%d + age, 3, 'UTC'), %s, v, v, v, 0.5, 0.9, said FROM VALUES('age Int64, v Float64, said String', %s)`, columns, origin.Unix(), values, rows)
	if err := db.Conn().Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// What says too little to judge by is no bad share and no budget, however a selector
// names them: the one that docs/slo.md has for federation matches the name.
func TestInsufficientIsNoSeriesOfAnSLO(t *testing.T) {
	a, db := newAPI(t)
	insert(t, db, "signal, model, stage, slo, window, measure", "'burn', 'young', 'production', 'y', '1h', 'bad_share'", "(60, 0.5, 'insufficient'), (120, 0.5, 'missing')")
	insert(t, db, "signal, model, stage, slo, window, measure", "'budget', 'young', 'production', 'y', '30d', 'left'", "(60, 1, 'insufficient')")
	a.now = func() time.Time { return origin.Add(2 * time.Minute) }
	at := fmt.Sprint(origin.Add(2 * time.Minute).Unix())
	for _, selector := range []string{
		`slo:sli_error:ratio_rate1h{slo="y"}`, `slo:period_error_budget_remaining:ratio{slo="y"}`,
		`{__name__=~"slo:(sli|period)_.+",__name__!~"slo:sli_coverage.+",slo="y"}`, `{slo="y",__name__=~"slo:sli_error.*"}`,
	} {
		if _, body := get(t, a, "query", url.Values{"query": {selector}, "time": {at}}); !strings.Contains(text(t, body), `"result":[]`) {
			t.Errorf("%s: %s", selector, text(t, body))
		}
	}
	if _, body := get(t, a, "label/__name__/values", url.Values{"match[]": {`{slo="y"}`}}); text(t, body["data"]) != `["plumbline_finding","plumbline_finding_high","plumbline_finding_low","slo:sli_coverage:ratio_rate1h"]` {
		t.Errorf("names: %s", text(t, body))
	}
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path+"/federate?"+url.Values{"match[]": {`{__name__=~"slo:(sli|period)_.+",slo="y"}`}}.Encode(), nil))
	if got := w.Body.String(); strings.Contains(got, "error") || !strings.Contains(got, "slo:sli_coverage:ratio_rate1h") {
		t.Errorf("federated: %s", got)
	}
}

// A range is what its instants are, also where the last finding of a step says nothing.
func TestARangeIsItsInstants(t *testing.T) {
	a, db := newAPI(t)
	insert(t, db, "signal, model, stage, slo, window, measure", "'drift', 'gaps', 'production', '', '1d', 'psi'",
		"(0, 1, 'ok'), (50, 2, 'ok'), (58, nan, 'missing'), (170, 3, 'ok'), (180, nan, 'missing'), (600, nan, 'missing')")
	ask := func(path string, values url.Values) string {
		values.Set("query", `plumbline_finding{model="gaps"}`)
		_, body := get(t, a, path, values)
		return text(t, body)
	}
	const step = time.Minute
	ranged := ask("query_range", url.Values{"start": {fmt.Sprint(origin.Unix())}, "end": {fmt.Sprint(origin.Add(10 * step).Unix())}, "step": {"60"}})
	for i := range 11 {
		at := origin.Add(time.Duration(i) * step).Unix()
		alone := ask("query", url.Values{"time": {fmt.Sprint(at)}})
		_, value, found := strings.Cut(alone, fmt.Sprintf(`"value":[%d,`, at))
		point := fmt.Sprintf(`[%d,%s`, at, strings.SplitAfter(value, `"]`)[0])
		if found && !strings.Contains(ranged, point) || !found && strings.Contains(ranged, fmt.Sprintf(`[%d,`, at)) {
			t.Errorf("at %d the range has no %s: %s", at, point, ranged)
		}
	}
}

// A model of which nothing can be said now has its values in the range all the same.
func TestLabelsOfWhatIsMissingNow(t *testing.T) {
	a, db := newAPI(t)
	insert(t, db, "signal, model, stage, slo, window, measure", "'drift', 'gone quiet', 'production', '', '1d', 'psi'", "(0, 1, 'ok'), (60, nan, 'missing')")
	for path, values := range map[string]url.Values{"label/model/values": nil, "series": {"match[]": {`plumbline_finding{signal="drift"}`}}} {
		if _, body := get(t, a, path, values); !strings.Contains(text(t, body), `gone quiet`) {
			t.Errorf("%s: %s", path, text(t, body))
		}
	}
}

// Series are asked for without their values: a day of findings is no matter.
func TestSeriesOfManyPoints(t *testing.T) {
	a, _ := newAPI(t)
	a.findings.most = 50
	selector := `plumbline_finding{signal="burn"}` // two deploys, sixty points each
	if code, body := get(t, a, "series", url.Values{"match[]": {selector}}); code != http.StatusOK || len(body["data"].([]any)) != 2 {
		t.Errorf("%d %.300s", code, text(t, body))
	}
	values := url.Values{"query": {"count_over_time(" + selector + "[10m])"}, "time": {fmt.Sprint(origin.Add(10 * time.Minute).Unix())}}
	if code, body := get(t, a, "query", values); code != http.StatusUnprocessableEntity || !strings.Contains(text(t, body), "over 50 points") {
		t.Errorf("too many points: %d %.300s", code, text(t, body))
	}
}

// Most looks are five minutes apart and a little more: what is found at each of them is
// seen at every time, or whoever alerts on it would see it come and go.
func TestWhatIsFoundEveryFiveMinutesIsSeenAlways(t *testing.T) {
	a, db := newAPI(t)
	insert(t, db, "signal, model, stage, slo, window, measure", "'quality', 'slow', 'production', '', '1d', 'recall'", "(0, 0.8, 'ok'), (312, 0.8, 'ok'), (630, 0.8, 'ok')")
	values := url.Values{"query": {`count_over_time((plumbline_finding{model="slow"} + 0)[15m:10s])`}, "time": {fmt.Sprint(origin.Add(15*time.Minute - time.Second).Unix())}}
	if _, body := get(t, a, "query", values); !strings.Contains(text(t, body), `"90"]`) {
		t.Errorf("of 90 times it is seen at: %s", text(t, body))
	}
	values.Set("query", `plumbline_finding{model="slow"}`)
	values.Set("time", fmt.Sprint(origin.Add(630*time.Second+plumbline.FindingAge+time.Second).Unix()))
	if _, body := get(t, a, "query", values); !strings.Contains(text(t, body), `"result":[]`) {
		t.Errorf("it is seen though nobody looks any more: %s", text(t, body))
	}
}
