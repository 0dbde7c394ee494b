package app_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/storage/engine"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/address"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

func TestMain(m *testing.M) {
	serveIfRequested()
	testenv.Main(m)
}

// patience bounds every wait; a test that needs it all has failed.
const patience = 5 * time.Minute

// withPatience bounds a wait by patience.
func withPatience(t *testing.T) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), patience)
}

// world is what outlives a service: its files, and the Slack and PagerDuty that
// it reports to.
type world struct {
	dir       string
	slack     *fakeslack.Server
	pagerduty *fakepagerduty.Server
}

// configuration is a user's file: one declared model with an SLO, everything
// embedded, looked at more often than usual.
const configuration = `data_dir: data
web: {listen: "127.0.0.1:0"}
kafka: {embedded: {listen: "127.0.0.1:0", partitions: 2}}
ingest: {partitions: 2, flush_interval: 50ms}
join: {interval: 100ms}
analyze: {interval: 500ms, reference_refresh: 1s}
models: [{name: checkout}]
rules: {slo_files: [slo.yaml], interval: 1s}
dashboards: {dir: dashboards}
alerting:
  group_wait: 1ms
  group_interval: 1s
  explain_timeout: 1m # the page has its reason, however busy the machine is
  owners: [{name: ml-oncall, slack_channel: "#ml-oncall", pagerduty_key_file: pagerduty.key, models: [checkout]}]
  slack: {token: xoxb-test, api_url: "%s", interval: 1ms}
  pagerduty: {api_url: "%s"}
`

// objective pages when more than 40 % of an hour's and of five minutes' labelled
// predictions are wrong; over 7 days no ticket pair exceeds the planned burn.
const objective = `apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout-accuracy
  annotations:
    plumbline.dev/sli: quality
    plumbline.dev/measure: accuracy
    plumbline.dev/model: checkout
    plumbline.dev/owner: ml-oncall
spec:
  service: checkout
  budgetingMethod: Occurrences
  timeWindow: [{duration: 7d, isRolling: true}]
  objectives: [{target: 0.88}]
`

// newWorld skips without the engine library, and fails under CI.
func newWorld(t *testing.T) *world {
	t.Helper()
	if cfg := engine.DefaultConfig(); os.Getenv("PLUMBLINE_TEST_CLICKHOUSE") == "" {
		if _, err := engine.FindLibrary(cfg.LibraryPath, cfg.LibraryCache); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
	w := &world{dir: t.TempDir()}
	var err error
	if w.slack, err = fakeslack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.slack.Close() }) // the test is over
	if w.pagerduty, err = fakepagerduty.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.pagerduty.Close() })
	w.write(t, "slo.yaml", objective)
	w.write(t, "pagerduty.key", strings.Repeat("0123456789abcdef", 2)+"\n")
	w.write(t, "plumbline.yml", fmt.Sprintf(configuration, w.slack.APIURL(), w.pagerduty.URL()))
	return w
}

func (w *world) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// service is the assembled service while it runs.
type service struct {
	*app.App
	stop func()
}

// serve starts the service as `plumbline serve` does and waits until it is
// ready. It stops with the test, or by stop.
func (w *world) serve(t *testing.T, change ...func(*app.Config)) *service {
	t.Helper()
	s := w.begin(t, change...)
	wait, end := withPatience(t)
	defer end()
	if err := s.WaitReady(wait); err != nil {
		s.stop()
		t.Fatal(err)
	}
	return s
}

// begin is serve, and does not wait.
func (w *world) begin(t *testing.T, change ...func(*app.Config)) *service {
	t.Helper()
	cfg, err := app.Load(filepath.Join(w.dir, "plumbline.yml"))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Watchdog.Limit = time.Hour // a loaded machine is no blindness
	cfg.Engine.DiskLimit = 0.999   // nor is its disk the service's: over 85 % raw rows are left out
	for _, f := range change {
		f(&cfg)
	}
	built, err := app.New(cfg, logger())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- built.Run(ctx) }()
	s := &service{App: built}
	stopped := false
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the service ended with: %v", err)
		}
	}
	t.Cleanup(s.stop)
	return s
}

func logger() *slog.Logger {
	if os.Getenv("PLUMBLINE_TEST_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// send produces messages in order, each with its own Kafka timestamp.
func (s *service) send(t *testing.T, messages ...traffic.Message) {
	t.Helper()
	w := &kafka.Writer{
		Addr: kafka.TCP(s.Brokers()...), Balancer: &kafka.Hash{}, RequiredAcks: kafka.RequireAll,
		BatchTimeout: 5 * time.Millisecond, BatchSize: 1000, BatchBytes: 64 << 20,
		// What takes long and is sent again is in Kafka twice.
		ReadTimeout: patience, WriteTimeout: patience,
	}
	batch := make([]kafka.Message, len(messages))
	for i, m := range messages {
		batch[i] = kafka.Message{Topic: m.Topic, Key: []byte(m.Key), Value: m.Value, Time: m.Time}
	}
	if err := w.WriteMessages(t.Context(), batch...); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// number runs a query that answers with one number.
func (s *service) number(t *testing.T, query string) int {
	t.Helper()
	var n int64
	if err := s.DB().Conn().QueryRow(t.Context(), "SELECT toInt64(("+query+"))").Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return int(n)
}

// until asks the query again and again until it answers with at least want.
func (s *service) until(t *testing.T, query string, want int) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		got := s.number(t, query)
		if got >= want {
			return
		}
		select {
		case <-deadline:
			t.Fatalf("%s = %d after %s, want %d", query, got, patience, want)
		case <-tick.C:
		}
	}
}

// stored counts the records of the topics that became rows or dead letters.
const stored = "SELECT sum(rows) + sum(dead) FROM batches FINAL WHERE table IN ('predictions', 'labels', 'deployments')"

// get returns the status and the body of one page.
func (s *service) get(t *testing.T, path string) (int, string) {
	t.Helper()
	status, body, err := ask(t.Context(), s.URL()+path)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

// ask is get of a service that may not answer yet.
func ask(ctx context.Context, address string) (status int, body string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return 0, "", err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(all), err
}

// reserve returns an address for what listens later in the test.
func reserve(t *testing.T) string {
	t.Helper()
	reserved, err := address.Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reserved.Release() }) // the test is over
	return reserved.Addr
}

// metric returns the value of one series of /metrics, spelled as there, and
// false if there is none.
func (s *service) metric(t *testing.T, series string) (value string, ok bool) {
	t.Helper()
	_, body := s.get(t, "/metrics")
	for line := range strings.Lines(body) {
		if value, ok := strings.CutPrefix(line, series+" "); ok {
			return strings.TrimSpace(value), true
		}
	}
	return "", false
}
