package alerting_test

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/alerting/pagerduty"
	"github.com/plumbline-slo/plumbline/alerting/slack"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
)

var update = flag.Bool("update", false, "write the golden files anew")

const (
	routingKey = "0123456789abcdef0123456789abcdef"
	// patience bounds what a test waits for; it is no expectation.
	patience = 5 * time.Minute
	// childEnv makes the test binary a service of its own, to be killed.
	childEnv = "PLUMBLINE_ALERTING_CHILD"
)

func TestMain(m *testing.M) {
	if spec := os.Getenv(childEnv); spec != "" {
		if err := child(spec); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// setting is everything a service needs, so that a child can be given it.
type setting struct {
	Config    alerting.Config
	Slack     slack.Config
	PagerDuty pagerduty.Config
}

// world is the fakes and a data directory that outlives services.
type world struct {
	*setting
	slack     *fakeslack.Server
	pagerduty *fakepagerduty.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	slackServer, err := fakeslack.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slackServer.Close() })
	pagerdutyServer, err := fakepagerduty.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pagerdutyServer.Close() })

	dir := t.TempDir()
	keyFile := filepath.Join(dir, "routing-key")
	if err := os.WriteFile(keyFile, []byte(routingKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := alerting.DefaultConfig()
	config.DataDir = filepath.Join(dir, "alerting")
	config.GroupWait, config.GroupInterval = 5*time.Millisecond, 20*time.Millisecond
	config.Owners = []plumbline.OwnerEntry{{
		Name: "flights-oncall", Team: "Flights", SlackChannel: "#flights", PagerDutyKeyFile: keyFile,
		Models: []plumbline.Model{"flight-delay"},
	}}
	slackConfig := slack.DefaultConfig()
	slackConfig.Token, slackConfig.APIURL, slackConfig.Interval = "xoxb-test", slackServer.APIURL(), 0
	pagerdutyConfig := pagerduty.DefaultConfig()
	pagerdutyConfig.APIURL = pagerdutyServer.URL()
	return &world{
		setting:   &setting{Config: config, Slack: slackConfig, PagerDuty: pagerdutyConfig},
		slack:     slackServer,
		pagerduty: pagerdutyServer,
	}
}

// service is one running Service in this process.
type service struct {
	*alerting.Service
	registry *prometheus.Registry
	journal  *journal
	api      string
	stop     func()
}

// start runs a service in this process until the test ends or stop is called.
func (w *world) start(t *testing.T, change ...func(*alerting.Deps)) *service {
	t.Helper()
	deps, err := w.deps()
	if err != nil {
		t.Fatal(err)
	}
	events := &journal{}
	deps.Journal = events
	for _, f := range change {
		f(&deps)
	}
	s, err := alerting.New(w.Config, deps)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	server := httptest.NewServer(s.Handler())
	var once sync.Once
	stop := func() {
		once.Do(func() {
			server.Close()
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	select {
	case <-s.Ready():
	case err := <-ended:
		ended <- nil
		t.Fatalf("Run: %v", err)
	}
	return &service{Service: s, registry: deps.Registry.(*prometheus.Registry), journal: events, api: server.URL, stop: stop}
}

func (s *setting) deps() (alerting.Deps, error) {
	registry := prometheus.NewRegistry()
	slackChannel, err := slack.New(s.Slack, registry)
	if err != nil {
		return alerting.Deps{}, err
	}
	pagerdutyChannel, err := pagerduty.New(s.PagerDuty)
	if err != nil {
		return alerting.Deps{}, err
	}
	return alerting.Deps{
		Channels:  []alerting.Channel{slackChannel, pagerdutyChannel},
		Explainer: known{},
		Registry:  registry,
		Logger:    slog.New(slog.DiscardHandler),
	}, nil
}

// counter sums a metric over its labels.
func (s *service) counter(t *testing.T, name string) float64 {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() == name {
			for _, m := range f.GetMetric() {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// turns waits until the notification log has been asked n more times: each turn
// of an aggregation group asks once a channel.
func (s *service) turns(t *testing.T, n int) {
	t.Helper()
	const asked = "alertmanager_nflog_queries_total"
	goal := s.counter(t, asked) + float64(n)
	eventually(t, func() bool { return s.counter(t, asked) >= goal })
}

func (s *service) send(t *testing.T, alerts ...alerting.Alert) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.Send(ctx, alerts...); err != nil {
		t.Fatal(err)
	}
}

// eventually asks again at every tick until ok, or fails after patience.
func eventually(t *testing.T, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	late := time.After(patience)
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("waited in vain")
		}
	}
}

func (w *world) waitSlack(t *testing.T, ok func([]fakeslack.Message) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.slack.WaitMessages(ctx, ok); err != nil {
		t.Fatalf("%v; messages: %+v", err, w.slack.Messages())
	}
}

func (w *world) waitPagerDuty(t *testing.T, events int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := w.pagerduty.WaitEvents(ctx, func(e []fakepagerduty.Event) bool { return len(e) >= events }); err != nil {
		t.Fatalf("%v; events: %+v", err, w.pagerduty.Events())
	}
}

// actions lists the PagerDuty actions so far.
func (w *world) actions() string {
	var actions []string
	for _, e := range w.pagerduty.Events() {
		actions = append(actions, e.Action)
	}
	return strings.Join(actions, " ")
}

func wantActions(t *testing.T, w *world, want string) {
	t.Helper()
	if got := w.actions(); got != want {
		t.Errorf("PagerDuty got %q, want %q", got, want)
	}
}

// firing is an alert of the declared model that fires for five minutes more.
func firing(severity string) alerting.Alert {
	now := time.Now()
	factor, windows := "6.3", "1h/5m"
	if severity == plumbline.SeverityTicket {
		factor, windows = "3.1", "1d/2h"
	}
	return alerting.Alert{
		Labels: map[string]string{
			"alertname": "SLOBurn", plumbline.LabelModel: "flight-delay", plumbline.LabelDeploy: "9c41d2e0",
			plumbline.LabelSLO: "late-accuracy", plumbline.LabelSeverity: severity, plumbline.LabelOwner: "flights-oncall",
		},
		Annotations: map[string]string{
			plumbline.AnnotationBurnRate: factor, plumbline.AnnotationWindows: windows, plumbline.AnnotationPeriod: "7d",
		},
		StartsAt: now.Add(-time.Minute), EndsAt: now.Add(5 * time.Minute),
	}
}

func resolved(a alerting.Alert) alerting.Alert {
	a.EndsAt = time.Now().Add(-time.Millisecond)
	return a
}

// past is an alert that ended half a minute ago, longer than a flicker lasts.
func past(a alerting.Alert) alerting.Alert {
	a.EndsAt = time.Now().Add(-30 * time.Second)
	return a
}

// now is an alert that begins now.
func now(a alerting.Alert) alerting.Alert {
	a.StartsAt = time.Now()
	return a
}

func with(a alerting.Alert, label, value string) alerting.Alert {
	labels := make(map[string]string, len(a.Labels))
	for k, v := range a.Labels {
		labels[k] = v
	}
	labels[label] = value
	a.Labels = labels
	return a
}

// known explains everything in the same way.
type known struct{}

func (known) Explain(context.Context, alerting.Question) (alerting.Explanation, error) {
	coverage := 0.74
	return alerting.Explanation{
		Features: []alerting.FeatureShift{
			{Feature: "distance", PSI: 8.1, Share: 0.93, Before: "median 569", After: "412,000"},
			{Feature: "origin", PSI: 0.12, Share: 0.07},
		},
		Carriers: []string{`segment region "eu" carries 97 % with 31 % of the requests`},
		Quality:  &alerting.QualityChange{Measure: "accuracy", Before: 0.821, After: 0.588, BeforeWhat: "deploy 3f9c21aa", AfterWhat: "this deploy"},
		Coverage: &coverage,
		SQL:      "SELECT countIf(NOT correct) / count()\nFROM outcomes\nWHERE model = 'flight-delay' AND deploy_hash = '9c41d2e0'",
		Deploy:   alerting.DeployInfo{Version: "v2", By: "ci", Previous: "3f9c21aa"},
		PageURL:  "http://127.0.0.1:9300/models/flight-delay",
	}, nil
}

// journal keeps what was recorded.
type journal struct {
	mu     sync.Mutex
	events []alerting.Event
}

func (j *journal) Record(_ context.Context, e alerting.Event) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.events = append(j.events, e)
	return nil
}

func (j *journal) count(kind alerting.EventKind) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	n := 0
	for _, e := range j.events {
		if e.Kind == kind {
			n++
		}
	}
	return n
}

// process is a service in a process of its own, to be killed.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines chan string
	api   string
}

// spawn starts the test binary as a service and waits until it is ready.
func (w *world) spawn(t *testing.T) *process {
	t.Helper()
	spec, err := json.Marshal(w.setting)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+string(spec))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, in: in, lines: make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for scan := bufio.NewScanner(out); scan.Scan(); {
			p.lines <- scan.Text()
		}
	}()
	t.Cleanup(func() { p.kill() })
	p.api = strings.TrimPrefix(p.wait(t, "ready "), "ready ")
	return p
}

// wait returns the next line that begins with prefix.
func (p *process) wait(t *testing.T, prefix string) string {
	t.Helper()
	late := time.After(patience)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("the service ended before it said %q", prefix)
			}
			if strings.HasPrefix(line, prefix) {
				return line
			}
		case <-late:
			t.Fatalf("the service never said %q", prefix)
		}
	}
}

// send returns when the service has taken the alerts.
func (p *process) send(t *testing.T, alerts ...alerting.Alert) {
	t.Helper()
	if err := json.NewEncoder(p.in).Encode(alerts); err != nil {
		t.Fatal(err)
	}
	p.wait(t, "taken")
}

// kill is kill -9.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}

// child is the service: alerts as JSON on standard input, what happens as lines
// on standard output.
func child(spec string) error {
	var s setting
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	deps, err := s.deps()
	if err != nil {
		return err
	}
	deps.Journal = say{}
	service, err := alerting.New(s.Config, deps)
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- service.Run(context.Background()) }()
	select {
	case <-service.Ready():
	case err := <-ended:
		return err
	}
	server := httptest.NewServer(service.Handler())
	fmt.Println("ready " + server.URL)
	for in := json.NewDecoder(os.Stdin); ; {
		var alerts []alerting.Alert
		if err := in.Decode(&alerts); err != nil {
			return err
		}
		if err := service.Send(context.Background(), alerts...); err != nil {
			return err
		}
		fmt.Println("taken")
	}
}

// say is the journal of a child.
type say struct{}

func (say) Record(_ context.Context, e alerting.Event) error {
	fmt.Printf("%s %s\n", e.Kind, e.Channel)
	return nil
}

// silence posts a silence of the model and returns the status.
func silence(t *testing.T, api, model string, d time.Duration) (status int, id string) {
	t.Helper()
	now := time.Now().UTC()
	body, err := json.Marshal(map[string]any{
		"matchers":  []map[string]any{{"name": plumbline.LabelModel, "value": model, "isRegex": false, "isEqual": true}},
		"startsAt":  now.Format(time.RFC3339Nano),
		"endsAt":    now.Add(d).Format(time.RFC3339Nano),
		"createdBy": "test", "comment": "test",
	})
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Post(api+"/api/v2/silences", "application/json", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	var answer struct {
		SilenceID string `json:"silenceID"`
	}
	_ = json.NewDecoder(response.Body).Decode(&answer)
	return response.StatusCode, answer.SilenceID
}
