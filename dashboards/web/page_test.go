package web_test

import (
	"context"
	"errors"
	"html"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/dashboards/internal/seed"
	"github.com/plumbline-slo/plumbline/dashboards/web"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func config() web.Config {
	return web.Config{
		Objectives: []plumbline.Objective{{
			SLO: plumbline.SLO{
				Name: seed.SLO, Model: seed.Model, Owner: "ml-oncall", Measure: plumbline.MeasureAccuracy,
				Target: 0.85, Period: 28 * 24 * time.Hour,
			},
			Pairs: []plumbline.WindowPair{
				{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 2},
				{Severity: plumbline.SeverityTicket, Long: 24 * time.Hour, Short: 2 * time.Hour, Factor: 1.4},
				{Severity: plumbline.SeverityTicket, Long: 7 * 24 * time.Hour, Short: 5 * time.Minute, Factor: 1},
			},
		}},
		Owners:     []plumbline.OwnerEntry{{Name: "ml-oncall", Models: []plumbline.Model{seed.Model}}, {Name: "search", Models: []plumbline.Model{"silent-ranker"}}},
		Models:     []plumbline.Model{seed.Model, "orphan"},
		GrafanaURL: "https://grafana.example/d/plumbline-on-call",
		Runbooks:   fstest.MapFS{"slo-burn.md": {Data: []byte("# SLO burn\n<script>alert(1)</script>")}},
	}
}

// now is 13:00 today, for seed and page alike; yesterday's data is within every
// retention.
var now = sync.OnceValue(func() time.Time { return time.Now().Truncate(24 * time.Hour).Add(13 * time.Hour) })

func handler(t *testing.T, conn web.Querier, cfg web.Config) http.Handler {
	t.Helper()
	page, err := web.New(cfg, conn)
	if err != nil {
		t.Fatal(err)
	}
	page.SetNow(now())
	return page
}

func get(t *testing.T, h http.Handler, path string) (int, string) {
	t.Helper()
	recorder := httptest.NewRecorder()
	h.ServeHTTP(recorder, httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil))
	body, err := io.ReadAll(recorder.Body)
	if err != nil {
		t.Fatal(err)
	}
	return recorder.Code, string(body)
}

func wants(t *testing.T, body string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

func lacks(t *testing.T, body string, unwanted ...string) {
	t.Helper()
	for _, text := range unwanted {
		if strings.Contains(body, text) {
			t.Errorf("the page holds %q", text)
		}
	}
}

// line returns the table row of the page that holds text.
func line(t *testing.T, body, text string) string {
	t.Helper()
	i := strings.Index(body, text)
	if i < 0 {
		t.Fatalf("the page lacks %q", text)
	}
	start := strings.LastIndex(body[:i], "<tr>")
	return body[start : start+strings.Index(body[start:], "</tr>")]
}

func TestPages(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := seed.Fill(t.Context(), env.DB.Conn(), now()); err != nil {
		t.Fatal(err)
	}
	h := handler(t, env.DB.Conn(), config())
	t.Run("overview", func(t *testing.T) { checkOverview(t, h) })
	t.Run("model", func(t *testing.T) { checkModel(t, h) })
	t.Run("undeclared", func(t *testing.T) { checkOdd(t, h) })
	t.Run("unknown", func(t *testing.T) {
		status, body := get(t, h, "/models/nobody")
		if status != http.StatusNotFound {
			t.Errorf("status %d", status)
		}
		wants(t, body, "Nobody has sent a prediction", `class="state missing"`)
		lacks(t, body, "within bounds")
	})
}

func checkOverview(t *testing.T, h http.Handler) {
	status, body := get(t, h, "/")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	wants(t, body, "4 models", "1 open incident")
	broken := line(t, body, ">"+seed.Model+"<")
	wants(t, broken, "in breach", "incident open", "owner ml-oncall", "open 26 min", "page · ", "acknowledged by ana", "1.23 ×", seed.DeployNew)
	silent := line(t, body, ">silent-ranker<")
	wants(t, silent, "no data", "none in 90 days", "no SLO")
	lacks(t, silent, "within bounds", "0.0 %", "100.0 %")
	wants(t, line(t, body, ">orphan<"), "no owner", "no data")
	odd := line(t, body, url.PathEscape(seed.Odd))
	wants(t, odd, "undeclared", "no owner", "177", "&lt;b&gt;")
	lacks(t, body, "<b>", "<script")
	if strings.Index(body, ">"+seed.Model+"<") > strings.Index(body, ">silent-ranker<") {
		t.Error("the broken model does not stand first")
	}
}

func checkModel(t *testing.T, h http.Handler) {
	status, body := get(t, h, "/models/"+seed.Model)
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	newest := line(t, body, "v2 · newest")
	wants(t, newest, seed.DeployNew, "90.0 %", "60.0 %", "-30.0 points", "ana &lt;ana@example.org&gt;")
	wants(t, line(t, body, ">distance</td>"), "in breach", "2.400", `width="240"`)
	wants(t, line(t, body, ">weekday</td>"), "within bounds")
	wants(t, body, "target 85", "deploy "+seed.DeployNew, "<polyline", "SET param_model = &#39;flight-delay&#39;;", "outcome_cells FINAL", "/runbooks/slo-burn")
	wants(t, body, "ana &lt;ana@example.org&gt;</strong> has acknowledged it", "1 notice, the last: Page: 39 % of the last hour wrong", "&lt;script&gt;")
	lacks(t, body, "<script", "ana@example.org>")
	wants(t, section(t, body, "Error budget left"), seed.SLO, "close", "15.0 %", "432000", "labels that are not in yet have spent nothing")
	week := body[strings.Index(body, "<small>7d</small>")-80:]
	wants(t, week[:80], "no data")
}

// section is the page from a heading on to the next section.
func section(t *testing.T, body, heading string) string {
	t.Helper()
	_, after, found := strings.Cut(body, heading)
	part, _, closed := strings.Cut(after, "</section>")
	if !found || !closed {
		t.Fatalf("no section %q", heading)
	}
	return part
}

func checkOdd(t *testing.T, h http.Handler) {
	status, body := get(t, h, "/models/"+url.PathEscape(seed.Odd))
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	wants(t, body, "undeclared", "Nobody declared this model", "no data: no SLO is declared", "no data: no drift was computed",
		"no data: no production deployment event", "no data: no label for a prediction")
	lacks(t, body, "within bounds", "<b>", "in breach")
	wants(t, html.UnescapeString(body), "https://grafana.example/d/plumbline-on-call?"+url.Values{"var-model": {seed.Odd}}.Encode())
}

func TestEmptyIsNotHealthy(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	h := handler(t, env.DB.Conn(), config())
	status, body := get(t, h, "/")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	lacks(t, body, "within bounds", "100.0 %", "0.0 %", "state ok")
	wants(t, body, "3 models", "no production prediction in 90 days")
	_, body = get(t, h, "/models/"+seed.Model)
	lacks(t, body, "within bounds", "100.0 %", " 0.0 %", "state ok")
}

// broken is a ClickHouse that cannot be asked.
type broken struct{}

func (broken) Query(context.Context, string, ...any) (driver.Rows, error) {
	return nil, errors.New("connection <refused>")
}

func TestAFailedQueryIsShown(t *testing.T) {
	h := handler(t, broken{}, config())
	for _, path := range []string{"/", "/models/" + seed.Model} {
		status, body := get(t, h, path)
		if status != http.StatusInternalServerError {
			t.Errorf("%s: status %d", path, status)
		}
		wants(t, body, "connection &lt;refused&gt;", "a query failed")
		lacks(t, body, "within bounds", "no open incident", ">none<", "in 90 days", "0 labelled", "has arrived", "Nobody has sent", "no notice", "no label for")
	}
}

func TestRunbooks(t *testing.T) {
	tests := []struct {
		path   string
		status int
		want   string
	}{
		{"/runbooks/", 200, `href="/runbooks/slo-burn"`},
		{"/runbooks/slo-burn", 200, "&lt;script&gt;"},
		{"/runbooks/slo-burn.md", 200, "&lt;script&gt;"},
		{"/runbooks/nothing", 404, ""},
		{"/runbooks/..%2f..%2fetc%2fpasswd", 404, ""},
		{"/plumbline.css", 200, "--missing"},
	}
	h := handler(t, broken{}, config())
	for _, tt := range tests {
		status, body := get(t, h, tt.path)
		if status != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s: status %d, want %d with %q", tt.path, status, tt.status, tt.want)
		}
	}
	for _, s := range plumbline.Signals() {
		if s.Runbook == "" {
			continue
		}
		if status, _ := get(t, handler(t, broken{}, web.Config{}), "/runbooks/"+s.Runbook); status != http.StatusOK {
			t.Errorf("the page has no runbook %s of its own: status %d", s.Runbook, status)
		}
	}
}

func TestAnAlertsLinkLeadsToTheModel(t *testing.T) {
	recorder := httptest.NewRecorder()
	query := url.Values{"model": {seed.Odd}, "deploy_hash": {"x"}, "slo": {"y"}}
	handler(t, broken{}, config()).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/?"+query.Encode(), nil))
	if got, want := recorder.Header().Get("Location"), "/models/"+url.PathEscape(seed.Odd); got != want || recorder.Code != http.StatusFound {
		t.Errorf("status %d to %q, want %q", recorder.Code, got, want)
	}
}

func TestConfigIsChecked(t *testing.T) {
	if _, err := web.New(web.Config{GrafanaURL: "javascript:alert(1)"}, broken{}); err == nil {
		t.Error("accepted")
	}
}

func TestHeaders(t *testing.T) {
	recorder := httptest.NewRecorder()
	handler(t, broken{}, config()).ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/", nil))
	if got := recorder.Header().Get("Content-Security-Policy"); !strings.Contains(got, "default-src 'none'") {
		t.Errorf("content security policy %q", got)
	}
}
