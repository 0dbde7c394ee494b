package promapi

import (
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	promrules "github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
)

// What Grafana's Prometheus source and other clients say beside the expression is heard.
func TestWhatClientsSayIsHeard(t *testing.T) {
	a, _ := newAPI(t)
	at := func(d time.Duration) string { return fmt.Sprint(origin.Add(d).Unix()) }
	const both, cut = "slo:sli_error:ratio_rate1h", `"warnings":["results truncated due to limit"]`
	span := url.Values{"start": {at(0)}, "end": {at(10 * time.Minute)}}
	for name, tt := range map[string]struct {
		path   string
		values url.Values
		code   int
		want   string
		times  int // how often "deploy_hash" stands in the answer
	}{
		"instant":             {"query", url.Values{"query": {both}, "time": {at(time.Minute)}, "limit": {"1"}}, 200, cut, 1},
		"range":               {"query_range", url.Values{"query": {both}, "step": {"60"}, "limit": {"1"}}, 200, cut, 1},
		"all there are":       {"query", url.Values{"query": {both}, "time": {at(time.Minute)}, "limit": {"2"}}, 200, `"status":"success"}`, 2},
		"no limit":            {"series", url.Values{"match[]": {both}, "limit": {"0"}}, 200, `"status":"success"}`, 2},
		"series":              {"series", url.Values{"match[]": {both}, "limit": {"1"}}, 200, cut, 1},
		"labels":              {"labels", url.Values{"limit": {"1"}}, 200, `"data":["__name__"]`, 0},
		"values":              {"label/deploy_hash/values", url.Values{"limit": {"1"}}, 200, `"data":["v1"]`, 0},
		"limit below 0":       {"series", url.Values{"match[]": {both}, "limit": {"-1"}}, 400, "limit must be non-negative", 0},
		"limit of letters":    {"query", url.Values{"query": {"1"}, "limit": {"many"}}, 400, `"errorType":"bad_data"`, 0},
		"metadata of one":     {"metadata", url.Values{"metric": {"plumbline_finding"}}, 200, `{"data":{"plumbline_finding":[{`, 0},
		"no metadata":         {"metadata", url.Values{"metric": {"up"}}, 200, `"data":{}`, 0},
		"lookback":            {"query", url.Values{"query": {both}, "time": {at(12 * time.Minute)}, "lookback_delta": {"1m"}}, 200, `"result":[]`, 0},
		"lookback of letters": {"query", url.Values{"query": {"1"}, "lookback_delta": {"long"}}, 400, "lookback_delta", 0},
		"timeout":             {"query", url.Values{"query": {both}, "timeout": {"0.000001"}}, 503, `"errorType":"timeout"`, 0},
		"what looks wrong":    {"query", url.Values{"query": {"rate(" + both + "[5m])"}, "time": {at(5 * time.Minute)}}, 200, `"infos":["PromQL info`, 2},
	} {
		values := maps.Clone(tt.values)
		if tt.path != "query" {
			maps.Copy(values, span)
		}
		code, body := get(t, a, tt.path, values)
		got := text(t, body)
		if code != tt.code || !strings.Contains(got, tt.want) || strings.Count(got, "deploy_hash") != tt.times && tt.times > 0 {
			t.Errorf("%s: %d %s, want %d and %s", name, code, got, tt.code, tt.want)
		}
		form := httptest.NewRequestWithContext(t.Context(), http.MethodPost, Path+"/api/v1/"+tt.path, strings.NewReader(values.Encode()))
		form.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		w := httptest.NewRecorder()
		a.Handler().ServeHTTP(w, form)
		if w.Code != tt.code || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s posted: %d %s", name, w.Code, w.Body)
		}
	}
}

// known is an evaluator with two groups.
type known []*promrules.Group

func (k known) Groups() []*promrules.Group  { return k }
func (k known) Recorded() storage.Queryable { return nil }

func newKnown(t *testing.T, a *API) known {
	t.Helper()
	expr, err := a.parser.ParseExpr("vector(1)")
	if err != nil {
		t.Fatal(err)
	}
	alerting := func(name, model string) promrules.Rule {
		return promrules.NewAlertingRule(name, expr, 0, 0, labels.FromStrings("model", model), labels.EmptyLabels(), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	}
	group := func(file, name string, rules ...promrules.Rule) *promrules.Group {
		return promrules.NewGroup(promrules.GroupOptions{Name: name, File: file, Interval: time.Minute, Rules: rules})
	}
	return known{
		group("a.yml", "burns", alerting("SLOBurn", "m"), alerting("SLOMissing", "n")),
		group("b.yml", "records", promrules.NewRecordingRule("m:x:sum", expr, labels.FromStrings("model", "m"))),
	}
}

// Of rules those are told that a client asks for, and of groups those that are left.
func TestRulesThatAreAskedFor(t *testing.T) {
	a := New(DefaultConfig(), nil, nil, slog.New(slog.DiscardHandler))
	a.Use(newKnown(t, a))
	for name, tt := range map[string]struct {
		values url.Values
		want   string // names of groups and rules
	}{
		"all":         {nil, "burns SLOBurn SLOMissing records m:x:sum"},
		"alerts":      {url.Values{"type": {"alert"}}, "burns SLOBurn SLOMissing"},
		"records":     {url.Values{"type": {"record"}}, "records m:x:sum"},
		"by name":     {url.Values{"rule_name[]": {"SLOMissing", "m:x:sum"}}, "burns SLOMissing records m:x:sum"},
		"by group":    {url.Values{"rule_group[]": {"records"}}, "records m:x:sum"},
		"by file":     {url.Values{"file[]": {"a.yml"}}, "burns SLOBurn SLOMissing"},
		"by label":    {url.Values{"match[]": {`{model="m"}`}}, "burns SLOBurn records m:x:sum"},
		"none of all": {url.Values{"file[]": {"a.yml"}, "type": {"record"}}, ""},
	} {
		code, body := get(t, a, "rules", tt.values)
		var got []string
		for _, g := range body["data"].(map[string]any)["groups"].([]any) {
			got = append(got, g.(map[string]any)["name"].(string))
			for _, rule := range g.(map[string]any)["rules"].([]any) {
				got = append(got, rule.(map[string]any)["name"].(string))
			}
		}
		if code != http.StatusOK || strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %d %q, want %q", name, code, strings.Join(got, " "), tt.want)
		}
	}
	for _, values := range []url.Values{{"type": {"both"}}, {"exclude_alerts": {"perhaps"}}, {"match[]": {"("}}} {
		if code, body := get(t, a, "rules", values); code != http.StatusBadRequest || body["errorType"] != badData {
			t.Errorf("%v: %d %v", values, code, body)
		}
	}
	if _, body := get(t, a, "rules", url.Values{"exclude_alerts": {"true"}, "type": {"alert"}}); !strings.Contains(text(t, body), `"alerts":null`) {
		t.Errorf("alerts are not left out: %s", text(t, body))
	}
}
