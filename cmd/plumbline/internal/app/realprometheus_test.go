package app_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// program returns the path of one of Prometheus' own programs, which
// `make test-prometheus` fetches, and skips without them.
func program(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("PLUMBLINE_PROMETHEUS")
	if dir == "" {
		t.Skip("PLUMBLINE_PROMETHEUS names no directory with prometheus, promtool and amtool: run make test-prometheus")
	}
	return filepath.Join(dir, name)
}

// output runs a program and returns what it printed.
func output(t *testing.T, stdin, path string, args ...string) string {
	t.Helper()
	ctx, cancel := withPatience(t)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var said bytes.Buffer
	cmd.Stderr = &said // amtool warns there that it is of another version
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s%s", filepath.Base(path), strings.Join(args, " "), err, out, said.String())
	}
	return string(out)
}

// allKinds is an SLO on every indicator that makes rules of its own, beside that
// of the harness; the last one is never met.
const allKinds = `apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-success, annotations: {plumbline.dev/sli: success, plumbline.dev/model: checkout, plumbline.dev/owner: ml-oncall}}
spec: {service: checkout, budgetingMethod: Occurrences, timeWindow: [{duration: 28d, isRolling: true}], objectives: [{target: 0.99}]}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-fresh, annotations: {plumbline.dev/sli: freshness, plumbline.dev/within: 5m, plumbline.dev/model: checkout, plumbline.dev/owner: ml-oncall}}
spec: {service: checkout, budgetingMethod: Timeslices, timeWindow: [{duration: 28d, isRolling: true}], objectives: [{target: 0.95, timeSliceTarget: 0.9, timeSliceWindow: 5m}]}
---
apiVersion: openslo/v1
kind: SLO
metadata: {name: checkout-labels, annotations: {plumbline.dev/sli: label-arrival, plumbline.dev/model: checkout, plumbline.dev/owner: ml-oncall}}
spec: {service: checkout, budgetingMethod: Occurrences, timeWindow: [{duration: 28d, isRolling: true}], objectives: [{target: 0.9}]}
`

// Prometheus itself, as Debian packages it, evaluates the generated rules over
// what it scrapes and fires the page that the service fires; promtool has nothing
// to say of the rules or of /metrics; amtool silences what the service alerts on.
func TestPrometheusAndItsToolsUnmodified(t *testing.T) {
	promtool, amtool := program(t, "promtool"), program(t, "amtool")
	w := newWorld(t)
	w.write(t, "slo.yaml", objective+"---\n"+allKinds)
	s := w.serve(t)
	own := w.prometheus(t, s)

	now := time.Now().Truncate(time.Minute)
	const faulty plumbline.DeployHash = "bbbb2222"
	broken, _ := generate(t, now, traffic.Options{Seed: 3, Deploy: faulty, Predictions: 2000, Start: now.Add(-90 * time.Minute), Span: 85 * time.Minute, MeanLabelDelay: time.Minute, BrokenFrom: now.Add(-90 * time.Minute)})
	s.send(t, append(broken, deployment(faulty, "v2", now.Add(-90*time.Minute)))...)
	w.waitPage(t, 1)

	t.Run("rules are clean", func(t *testing.T) {
		files, err := filepath.Glob(filepath.Join(w.dir, "data/rules/files/*.yml"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%v: %v", files, err)
		}
		said := output(t, "", promtool, append([]string{"check", "rules", "--lint=all", "--lint-fatal"}, files...)...)
		if strings.Count(said, "SUCCESS") != len(files) {
			t.Error(said)
		}
	})
	t.Run("metrics are clean", func(t *testing.T) {
		var body strings.Builder
		_, all := s.get(t, "/metrics")
		for line := range strings.Lines(all) {
			// Prometheus' own engine names its histograms so, which its own tool forbids.
			if !strings.Contains(line, "plumbline_rules_prometheus_") || !strings.Contains(line, "_histogram_seconds") {
				body.WriteString(line)
			}
		}
		if said := output(t, body.String(), promtool, "check", "metrics"); said != "" {
			t.Error(said)
		}
	})
	t.Run("promtool asks the service", func(t *testing.T) {
		awaitALERTS(t, promtool, s, `deploy_hash="bbbb2222"`, `slo="checkout-accuracy"`)
	})
	t.Run("Prometheus fires what the service fires", func(t *testing.T) {
		own.awaitPage(t, s.firing(t))
	})
	t.Run("amtool", func(t *testing.T) { useAmtool(t, amtool, s) })
}

// awaitALERTS waits until promtool is told of a firing page with these labels.
// Prometheus' rules write ALERTS from their third evaluation on (they may restore
// a `for` before), so a page of the first two is told before promtool sees it.
func awaitALERTS(t *testing.T, promtool string, s *service, labels ...string) {
	t.Helper()
	ctx, cancel := withPatience(t)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		said := output(t, "", promtool, "query", "instant", s.URL()+"/prometheus", `ALERTS{alertstate="firing",severity="page"}`)
		if !slices.ContainsFunc(labels, func(l string) bool { return !strings.Contains(said, l) }) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("promtool is told %q, want %v", said, labels)
		case <-tick.C:
		}
	}
}

// useAmtool does what people on call do: look, silence, look, end the silence.
func useAmtool(t *testing.T, amtool string, s *service) {
	ask := func(args ...string) string {
		return output(t, "", amtool, append([]string{"--alertmanager.url=" + s.URL() + "/alertmanager"}, args...)...)
	}
	const ours = "slo=checkout-accuracy"
	if said := ask("alert", "query", ours, "severity=page"); !strings.Contains(said, "active") {
		t.Errorf("alert query: %s", said)
	}
	id := strings.TrimSpace(ask("silence", "add", "--author=ann", "--duration=1h", "--comment=known", ours))
	if said := ask("silence", "query"); !strings.Contains(said, id) || !strings.Contains(said, "ann") {
		t.Errorf("silence query after silence add %s: %s", id, said)
	}
	if said := ask("alert", "query", "--active", ours); strings.Contains(said, "checkout") {
		t.Errorf("a silenced alert is active: %s", said)
	}
	ask("silence", "expire", id)
	if said := ask("silence", "query"); strings.Contains(said, id) {
		t.Errorf("an expired silence is in force: %s", said)
	}
	if said := ask("config", "routes", "test", "model=checkout", "owner=ml-oncall"); !strings.Contains(said, "ml-oncall") {
		t.Errorf("config routes test: %s", said)
	}
	ask("alert", "add", "alertname=ByHand", "model=checkout", "deploy_hash=d1", "slo=by-hand", "severity=ticket")
	if said := ask("alert", "query", "slo=by-hand"); !strings.Contains(said, "ByHand") {
		t.Errorf("alert query after alert add: %s", said)
	}
	if said := ask("cluster", "show"); !strings.Contains(said, "Cluster Status") {
		t.Errorf("cluster show: %s", said)
	}
}

// firing returns name, model, deploy and SLO of each page that the service fires.
func (s *service) firing(t *testing.T) map[string]bool {
	t.Helper()
	_, body := s.get(t, "/prometheus/api/v1/alerts")
	return pages(t, []byte(body))
}

func pages(t *testing.T, body []byte) map[string]bool {
	t.Helper()
	var answer struct {
		Data struct {
			Alerts []struct {
				State  string
				Labels map[string]string
			}
		}
	}
	if err := json.Unmarshal(body, &answer); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	all := make(map[string]bool)
	for _, a := range answer.Data.Alerts {
		if l := a.Labels; a.State == "firing" && l["severity"] == "page" {
			all[fmt.Sprintf("%s of %s, deploy %s, SLO %s", l["alertname"], l["model"], l["deploy_hash"], l["slo"])] = true
		}
	}
	return all
}

// prometheus is a Prometheus server that scrapes the service as docs/slo.md says.
type prometheus struct{ url string }

func (w *world) prometheus(t *testing.T, s *service) prometheus {
	t.Helper()
	path := program(t, "prometheus")
	w.write(t, "prometheus.yml", fmt.Sprintf(`global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
scrape_configs:
  - job_name: plumbline
    honor_labels: true
    metrics_path: /prometheus/federate
    params: {"match[]": ['{__name__=~"slo:(sli|period)_.+|model:.+"}', 'plumbline_finding']}
    static_configs: [{targets: [%q]}]
`, filepath.Join(w.dir, "data/rules/files/*.yml"), strings.TrimPrefix(s.URL(), "http://")))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, path, "--config.file="+filepath.Join(w.dir, "prometheus.yml"), "--storage.tsdb.path="+filepath.Join(w.dir, "tsdb"), "--web.listen-address="+address)
	var log bytes.Buffer
	cmd.Stderr = &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", log.String())
		}
	})
	return prometheus{url: "http://" + address}
}

// awaitPage waits until exactly these pages fire in Prometheus.
func (p prometheus) awaitPage(t *testing.T, want map[string]bool) {
	t.Helper()
	if len(want) == 0 {
		t.Fatal("the service fires no page")
	}
	ctx, cancel := withPatience(t)
	defer cancel()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	var got map[string]bool
	for {
		if body, err := p.alerts(ctx); err == nil {
			if got = pages(t, body); maps.Equal(got, want) {
				return
			}
		}
		select {
		case <-ctx.Done():
			t.Fatalf("Prometheus fires %v, the service %v", got, want)
		case <-tick.C:
		}
	}
}

func (p prometheus) alerts(ctx context.Context) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.url+"/api/v1/alerts", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", response.Status, body)
	}
	return body, errors.Join(err, response.Body.Close())
}
