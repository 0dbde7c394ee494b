package app_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/plumbline-slo/plumbline/alerting/duty"
	"github.com/plumbline-slo/plumbline/alerting/relay"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
)

var update = flag.Bool("update", false, "rewrite docs/metrics.md")

const (
	metricsPage = "../../../../docs/metrics.md"
	// prometheusOwn begins what Prometheus' rule manager and query engine register.
	prometheusOwn = "plumbline_rules_prometheus_"
)

// TestMetricsPage holds that docs/metrics.md is what the service registers: by every
// part, also what has no series before something happens.
func TestMetricsPage(t *testing.T) {
	built, recorder := recorded(t)
	s := &service{App: built}
	for _, series := range []string{
		"plumbline_engine_restarts_total", `plumbline_service_troubles{alert="PartitionParked"}`, `plumbline_service_troubles_failures_total{operation="send"}`,
		`plumbline_ingest_raw_left_out_total{topic="predictions"}`, `plumbline_ingest_retries_total{operation="insert"}`,
	} {
		if value, ok := s.metric(t, series); value != "0" {
			t.Errorf("%s is %q, there: %v; want 0 before anything has happened", series, value, ok)
		}
	}
	if _, body := s.get(t, "/metrics"); !regexp.MustCompile(`(?m)^plumbline_engine_disk_used_ratio 0\.\d`).MatchString(body) ||
		!regexp.MustCompile(`(?m)^plumbline_build_info{goversion="go[^"]+",revision="[^"]+",version="[^"]*"} 1$`).MatchString(body) {
		t.Error("the used share of the disk or the build is not told")
	}
	lines := described(t, recorder)
	page := "# Metrics\n<!-- Written by `go test ./cmd/plumbline/internal/app -run TestMetricsPage -update`; edit the help texts instead. -->\n" +
		"What the service tells of itself at `/metrics`. Beside these are Go's and the process' own (`go_`, `process_`), those of `/metrics` itself (`promhttp_`), those of the embedded Alertmanager (`alertmanager_`) and those of Prometheus' rule manager and query engine (`" + prometheusOwn + "`, else named as Prometheus names them). Runbook: [service](runbooks/service.md).\n\n" +
		"| metric | type | labels | what it says |\n|---|---|---|---|\n"
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		page += lines[name]
	}
	if *update {
		if err := os.WriteFile(metricsPage, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(metricsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page {
		t.Errorf("docs/metrics.md is not what the service registers; run this test with -update. Want:\n%s", page)
	}
}

// recorded is a service that runs, with everything that one alone can have, and what
// it registered. Replicas and buttons register more.
func recorded(t *testing.T) (*app.App, *app.Recorder) {
	t.Helper()
	w := newWorld(t)
	cfg, err := app.Load(filepath.Join(w.dir, "plumbline.yml"))
	if err != nil {
		t.Fatal(err)
	}
	built, err := app.New(cfg, logger())
	if err != nil {
		t.Fatal(err)
	}
	recorder := built.Record()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- built.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	wait, end := withPatience(t)
	defer end()
	if err := built.WaitReady(wait); err != nil {
		t.Fatal(err)
	}
	peers := relay.DefaultConfig()
	peers.Peers = []string{"http://127.0.0.1:1"}
	if _, err := relay.New(peers, recorder, logger()); err != nil {
		t.Fatal(err)
	}
	if _, err := duty.New(duty.DefaultConfig(), duty.Dependencies{Registry: recorder, Logger: logger()}); err != nil {
		t.Fatal(err)
	}
	if _, err := slack.NewCallbacks(nil, nil, nil, time.Now, recorder, logger()); err != nil {
		t.Fatal(err)
	}
	return built, recorder
}

// described returns the line of each of our metrics, by name.
func described(t *testing.T, r *app.Recorder) map[string]string {
	t.Helper()
	kinds, lines := map[string]string{}, map[string]string{}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	add := func(name, kind, help string, labels []string) {
		if len(labels) > 0 {
			labels = []string{"`" + strings.Join(labels, "`, `") + "`"}
		}
		if strings.HasPrefix(name, "plumbline_") && !strings.HasPrefix(name, prometheusOwn) {
			lines[name] = fmt.Sprintf("| `%s` | %s | %s | %s |\n", name, kind, strings.Join(labels, ""), strings.ReplaceAll(help, "|", `\|`))
		}
	}
	for _, f := range families {
		kinds[f.GetName()] = strings.ToLower(f.GetType().String())
		add(f.GetName(), kinds[f.GetName()], f.GetHelp(), labelsOf(f.GetMetric()[0]))
	}
	// A description can be read as text only.
	text := regexp.MustCompile(`fqName: "([^"]*)", help: "((?:[^"\\]|\\.)*)", (?:unit: "[^"]*", )?constLabels: {.*}, variableLabels: {([^}]*)}`)
	for _, c := range r.Registered() {
		described := make(chan *client.Desc, 1000)
		c.Describe(described)
		close(described)
		for d := range described {
			part := text.FindStringSubmatch(d.String())
			if part == nil {
				t.Fatalf("unreadable: %s", d)
			}
			kind := kinds[part[1]]
			if kind == "" {
				kind = kindOf(c)
			}
			var labels []string
			if part[3] != "" {
				labels = strings.Split(part[3], ",")
				slices.Sort(labels)
			}
			add(part[1], kind, strings.ReplaceAll(part[2], `\"`, `"`), labels)
		}
	}
	return lines
}

func labelsOf(m *dto.Metric) (names []string) {
	for _, l := range m.GetLabel() {
		names = append(names, l.GetName())
	}
	return names
}

// kindOf is the type of a metric that has no series yet.
func kindOf(c client.Collector) string {
	switch c.(type) {
	case *client.CounterVec:
		return "counter"
	case *client.GaugeVec:
		return "gauge"
	case *client.HistogramVec:
		return "histogram"
	}
	return "unknown"
}
