package promapi

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var origin = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// newAPI has ten minutes of burn findings, every ten seconds: 0.01 a minute.
func newAPI(t *testing.T) (*API, *storage.DB) {
	t.Helper()
	db := testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB
	for _, deploy := range []string{"v1", `v2"} or 1`} {
		if err := db.Conn().Exec(t.Context(), fmt.Sprintf(`INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, measure, value, low, high, p, coverage, verdict)
SELECT toDateTime64(%d + number * 10, 3, 'UTC'), 'burn', 'm', '%s', 'production', 's', '1h', 'bad_share', intDiv(number, 6) / 100, 0, 1, 0.5, 0.9, if(number = 59, 'missing', 'ok') FROM numbers(60)`, origin.Unix(), deploy)); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Conn().Exec(t.Context(), fmt.Sprintf(`INSERT INTO findings (at, signal, model, stage, slo, window, measure, value, verdict)
SELECT toDateTime64(%d + number * 120, 3, 'UTC'), 'budget', 'm', 'production', 's', '30d', 'left', 1 - number / 4, if(number = 4, 'insufficient', 'ok') FROM numbers(5)`, origin.Unix())); err != nil {
		t.Fatal(err)
	}
	a := New(DefaultConfig(), db.Conn(), nil, slog.New(slog.DiscardHandler))
	a.now = func() time.Time { return origin.Add(10 * time.Minute) }
	return a, db
}

func get(t *testing.T, a *API, path string, values url.Values) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path+"/api/v1/"+path+"?"+values.Encode(), nil))
	var body map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
		t.Fatalf("%s: %v: %s", path, err, w.Body)
	}
	return w.Code, body
}

func text(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestAPI(t *testing.T) {
	a, _ := newAPI(t)
	at := func(d time.Duration) string { return fmt.Sprint(origin.Add(d).Unix()) }
	ratio := `slo:sli_error:ratio_rate1h{deploy_hash="v1"}`
	for name, tt := range map[string]struct {
		path   string
		values url.Values
		code   int
		want   string
	}{
		"instant":          {"query", url.Values{"query": {ratio}, "time": {at(5 * time.Minute)}}, 200, `"value":[1777896300,"0.05"]`},
		"a name in quotes": {"query", url.Values{"query": {`slo:sli_error:ratio_rate1h{deploy_hash="v2\"} or 1"}`}, "time": {at(5 * time.Minute)}}, 200, `"value":[1777896300,"0.05"]`},
		"arithmetic":       {"query", url.Values{"query": {"sum(" + ratio + ") * 100"}, "time": {at(5 * time.Minute)}}, 200, `"5"]`},
		"scalar":           {"query", url.Values{"query": {"1+1"}, "time": {at(0)}}, 200, `"result":[1777896000,"2"],"resultType":"scalar"`},
		"a whole finding":  {"query", url.Values{"query": {`plumbline_finding{signal="burn",deploy_hash="v1",window="1h"}`}, "time": {at(5 * time.Minute)}}, 200, `"measure":"bad_share"`},
		"what is left":     {"query", url.Values{"query": {`slo:period_error_budget_remaining:ratio`}, "time": {at(5 * time.Minute)}}, 200, `"metric":{"__name__":"slo:period_error_budget_remaining:ratio","model":"m","slo":"s"},"value":[1777896300,"0.5"]`},
		"known by pattern": {"query", url.Values{"query": {`{__name__=~"slo:period_.+"}`}, "time": {at(9 * time.Minute)}}, 200, `"0.25"]`},
		"last of it known": {"query", url.Values{"query": {`slo:period_error_budget_remaining:ratio`}, "time": {at(9 * time.Minute)}}, 200, `"0.25"]`},
		"nothing before":   {"query", url.Values{"query": {ratio}, "time": {at(-time.Minute)}}, 200, `"result":[]`},
		"range":            {"query_range", url.Values{"query": {ratio}, "start": {at(time.Minute)}, "end": {at(3*time.Minute + time.Second)}, "step": {"1m"}}, 200, `"values":[[1777896060,"0.01"],[1777896120,"0.02"],[1777896180,"0.03"]]`},
		"range function":   {"query_range", url.Values{"query": {"count_over_time(" + ratio + "[1m])"}, "start": {at(2 * time.Minute)}, "end": {at(2 * time.Minute)}, "step": {"60"}}, 200, `"6"`},
		"subquery":         {"query_range", url.Values{"query": {"max_over_time((" + ratio + " + 0)[2m:10s])"}, "start": {at(2 * time.Minute)}, "end": {at(4 * time.Minute)}, "step": {"120"}}, 200, `"0.04"`},
		"series":           {"series", url.Values{"match[]": {ratio}}, 200, `[{"__name__":"slo:sli_error:ratio_rate1h","deploy_hash":"v1","model":"m","slo":"s"}]`},
		"labels":           {"labels", url.Values{"match[]": {ratio}}, 200, `["__name__","deploy_hash","model","slo"]`},
		"values":           {"label/model/values", nil, 200, `["m"]`},
		"names":            {"label/__name__/values", nil, 200, `"slo:sli_error:ratio_rate1h"`},
		"metadata":         {"metadata", nil, 200, `"gauge"`},
		"rules":            {"rules", nil, 200, `"groups":[]`},
		"alerts":           {"alerts", nil, 200, `"alerts":[]`},
		"buildinfo":        {"status/buildinfo", nil, 200, `"version"`},
		"bad expression":   {"query", url.Values{"query": {"("}}, 400, `"errorType":"bad_data"`},
		"bad step":         {"query_range", url.Values{"query": {"1"}, "start": {"1"}, "end": {"2"}, "step": {"0"}}, 400, "zero or negative"},
		"bad time":         {"query", url.Values{"query": {"1"}, "time": {"soon"}}, 400, "valid timestamp"},
		"many points":      {"query_range", url.Values{"query": {"1"}, "start": {"0"}, "end": {"100000"}, "step": {"1"}}, 400, "11,000"},
		"no selector":      {"series", nil, 400, "no match[]"},
		"empty selector":   {"series", url.Values{"match[]": {"{}"}}, 400, "at least one non-empty matcher"},
		"selects all":      {"series", url.Values{"match[]": {ratio, `{model=~".*"}`}}, 400, "at least one non-empty matcher"},
	} {
		code, body := get(t, a, tt.path, tt.values)
		if got := text(t, body); code != tt.code || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %d %s, want %d and %s", name, code, got, tt.code, tt.want)
		}
	}
	// What is missing is no value: the last finding says nothing.
	if _, body := get(t, a, "query", url.Values{"query": {"timestamp(" + ratio + ")"}, "time": {at(10 * time.Minute)}}); !strings.Contains(text(t, body), fmt.Sprint(origin.Add(580*time.Second).Unix())) {
		t.Errorf("a missing finding has a value: %s", text(t, body))
	}
}

// Another Prometheus scrapes what the generated rules read: the newest point of each
// series with its own time, once, whichever selectors ask for it.
func TestFederate(t *testing.T) {
	a, _ := newAPI(t)
	ask := func(selectors ...string) (int, string) {
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, Path+"/federate?"+url.Values{"match[]": selectors}.Encode(), nil))
		return w.Code, w.Body.String()
	}
	code, body := ask(`{__name__="slo:sli_error:ratio_rate1h"}`, `slo:sli_error:ratio_rate1h{deploy_hash="v1"}`)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if code != http.StatusOK || err != nil || len(families) != 1 {
		t.Fatalf("%d %v: %s", code, err, body)
	}
	got := make(map[string]string)
	for _, m := range families["slo:sli_error:ratio_rate1h"].Metric {
		for _, l := range m.Label {
			if l.GetName() == "deploy_hash" {
				got[l.GetValue()] = fmt.Sprint(m.Untyped.GetValue(), " ", m.GetTimestampMs()-origin.UnixMilli())
			}
		}
	}
	// The finding after it is missing, which is no point.
	if want := map[string]string{"v1": "0.09 580000", `v2"} or 1`: "0.09 580000"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if code, body := ask(); code != http.StatusBadRequest || !strings.Contains(body, "no match[]") {
		t.Errorf("%d %s", code, body)
	}
	a.now = func() time.Time { return origin.Add(time.Hour) }
	if code, body := ask(`{__name__=~"slo:.*"}`); code != http.StatusOK || body != "" {
		t.Errorf("of an hour ago: %d %q", code, body)
	}
}

func TestAt(t *testing.T) {
	a, _ := newAPI(t)
	if v, ok, err := a.At(t.Context(), `sum(slo:sli_error:ratio_rate1h)`, origin.Add(3*time.Minute)); v != 0.06 || !ok || err != nil {
		t.Errorf("%v %v %v", v, ok, err)
	}
	if _, ok, err := a.At(t.Context(), "nothing", origin); ok || err != nil {
		t.Errorf("%v %v", ok, err)
	}
	if _, _, err := a.At(t.Context(), "slo:sli_error:ratio_rate1h", origin.Add(time.Minute)); err == nil {
		t.Error("two series are one number")
	}
}

// Minutes are what each of them alone is, for expressions as well that know of a range.
func TestMinutesAreInstants(t *testing.T) {
	a, _ := newAPI(t)
	first, last := origin.Add(-10*time.Minute), origin.Add(30*time.Minute)
	for _, expr := range []string{"sum(slo:sli_error:ratio_rate1h)", "nothing", "vector(3)", "time()", "2", "sum(max_over_time(slo:sli_error:ratio_rate1h[10m:1m]))",
		"sum(slo:sli_error:ratio_rate1h @ end())", "time() - time() / 0 * 0", "sum(slo:sli_error:ratio_rate1h offset 3m) > 0.05"} {
		got, err := a.Minutes(t.Context(), expr, first, last)
		if err != nil || len(got) != 41 {
			t.Fatalf("%s: %d values, %v", expr, len(got), err)
		}
		for i, v := range got {
			want, ok, err := a.At(t.Context(), expr, first.Add(time.Duration(i)*time.Minute))
			if err != nil || ok && v != want || !ok && !math.IsNaN(v) {
				t.Errorf("%s in minute %d: %v, alone %v %v %v", expr, i, v, want, ok, err)
			}
		}
	}
	for _, expr := range []string{"slo:sli_error:ratio_rate1h", `"a text"`} {
		if v, err := a.Minutes(t.Context(), expr, first, last); err == nil {
			t.Errorf("%s is %v", expr, v)
		}
	}
}

// Clients that send half of a request keep nobody else out.
func TestHalfARequestHoldsNoSlot(t *testing.T) {
	cfg := DefaultConfig()
	a := New(cfg, nil, nil, slog.New(slog.DiscardHandler))
	begun := make(chan struct{}, cfg.Concurrent)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun <- struct{}{}
		a.Handler().ServeHTTP(w, r)
	}))
	defer server.Close()
	for range cfg.Concurrent {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		if _, err := fmt.Fprintf(c, "POST %s/api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nquery=", Path); err != nil {
			t.Fatal(err)
		}
	}
	for range cfg.Concurrent {
		<-begun
	}
	for range 100 * cfg.Concurrent { // while the halves are waited for
		if code, body := get(t, a, "status/buildinfo", nil); code != http.StatusOK {
			t.Fatalf("%d %v", code, body)
		}
	}
	cfg.Timeout = time.Millisecond
	late := httptest.NewServer(New(cfg, nil, nil, slog.New(slog.DiscardHandler)).Handler())
	defer late.Close()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", late.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "POST %s/api/v1/query HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 100\r\n\r\nquery=", Path); err != nil {
		t.Fatal(err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusBadRequest {
		t.Errorf("half a request is answered with %d", answer.StatusCode)
	}
}

func TestTooManyAtOnce(t *testing.T) {
	a, _ := newAPI(t)
	a.cfg.Timeout = 10 * time.Millisecond
	for range a.cfg.Concurrent {
		a.slots <- struct{}{}
	}
	if code, body := get(t, a, "query", url.Values{"query": {"1"}}); code != http.StatusServiceUnavailable {
		t.Errorf("%d %v", code, body)
	}
}
