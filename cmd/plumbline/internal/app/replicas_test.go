package app_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/plumbline-slo/plumbline/testenv/broker"
	"github.com/plumbline-slo/plumbline/testenv/kafkatest"
)

// serveChild names the configuration of a service that is a process of its own:
// the test binary, to be killed.
const serveChild = "PLUMBLINE_APP_SERVE"

// serveIfRequested serves and never returns, in such a process. It ends with its
// parent, whose pipe is its standard input.
func serveIfRequested() {
	path := os.Getenv(serveChild)
	if path == "" {
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() {
		// Whatever ends the pipe, the parent is gone.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(2)
	}()
	cfg, err := app.Load(path)
	if err == nil {
		var built *app.App
		if built, err = app.New(cfg, logger()); err == nil {
			err = built.Run(ctx)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// replicated is one of two services that share a Kafka, a ClickHouse and the
// work. Its own rule pages while the ratio that the test writes is over a half.
const replicated = `data_dir: %[1]s
web: {listen: "%[2]s"}
kafka: {brokers: ["%[3]s"]}
clickhouse: {dsn: "%[4]s", database: "%[5]s"}
models: [{name: checkout}]
rules: {rules_dir: %[1]s-rules, interval: 1s, resend_delay: 5m}
watchdog: {limit: 1h}
alerting:
  group_wait: 1ms
  group_interval: 1s
  explain_timeout: 1m # the page has its reason, however busy the machine is
  owners: [{name: ml-oncall, slack_channel: "#ml-oncall", pagerduty_key_file: pagerduty.key, models: [checkout]}]
  slack: {token: xoxb-test, api_url: "%[6]s", interval: 1ms}
  pagerduty: {api_url: "%[7]s"}
  cluster: {listen: "%[8]s", peers: ["%[9]s"], name: "%[1]s"}
  relay: {peers: ["http://%[2]s/alertmanager", "http://%[10]s/alertmanager"]}
  duty: {session: 6s}
`

const ownRule = `groups:
- name: own
  rules:
  - alert: Own
    expr: %s{slo="own"} > 0.5
    labels: {severity: page}
`

// replica is one running process.
type replica struct {
	web  string
	cmd  *exec.Cmd
	gone chan struct{}
}

func spawn(t *testing.T, config, web string) *replica {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serveChild+"="+config)
	cmd.Stderr = os.Stderr
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r := &replica{web: "http://" + web, cmd: cmd, gone: make(chan struct{})}
	go func() {
		defer close(r.gone)
		_ = cmd.Wait() // it is killed, so it never ends well
	}()
	t.Cleanup(r.kill)
	return r
}

// kill is kill -9; it returns when the process is gone.
func (r *replica) kill() {
	_ = r.cmd.Process.Kill() // it may have ended
	<-r.gone
}

// says reports whether a page of the replica is there and has a line that begins
// with the words and does not end with " 0".
func (r *replica) says(ctx context.Context, path, words string) bool {
	status, body, err := ask(ctx, r.web+path)
	return err == nil && status == http.StatusOK && slices.ContainsFunc(strings.Split(body, "\n"), func(line string) bool {
		return strings.HasPrefix(line, words) && !strings.HasSuffix(line, " 0")
	})
}

// speaks reports whether alerts of this replica's evaluation were taken.
func (r *replica) speaks(ctx context.Context) bool {
	return r.says(ctx, "/metrics", `plumbline_relay_requests_total{result="taken"}`)
}

func eventually(t *testing.T, what string, ok func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := withPatience(t)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("waited %s in vain until %s", patience, what)
		}
	}
}

// twoReplicas starts both and returns when they share the duties.
func twoReplicas(t *testing.T, w *world, env *testenv.Env) []*replica {
	t.Helper()
	b := kafkatest.Embedded(t, func(c *broker.Config) { c.MinSession = time.Second })
	var free [4]string // web and gossip of the two
	for i := range free {
		free[i] = reserve(t)
	}
	for i := range free[2:] {
		// Who reserves a port holds its UDP, on this address; gossip needs that too.
		free[2+i] = strings.Replace(free[2+i], "127.0.0.1", "127.0.0.2", 1)
	}
	var both []*replica
	for i, name := range []string{"one", "two"} {
		if err := os.Mkdir(filepath.Join(w.dir, name+"-rules"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.write(t, name+"-rules/own.yml", fmt.Sprintf(ownRule, plumbline.MetricErrorRatio("1h")))
		w.write(t, name+".yml", fmt.Sprintf(replicated, name, free[i], b.Addresses()[0], env.DSN, env.DB.Database(),
			w.slack.APIURL(), w.pagerduty.URL(), free[2+i], free[3-i], free[1-i]))
		r := spawn(t, filepath.Join(w.dir, name+".yml"), free[i])
		eventually(t, name+" is ready", func(ctx context.Context) bool {
			select {
			case <-r.gone:
				t.Fatalf("%s ended", name)
			default:
			}
			return r.says(ctx, "/-/ready", "")
		})
		both = append(both, r)
	}
	client := &kafka.Client{Addr: kafka.TCP(b.Addresses()...)}
	group := app.DefaultConfig().Alerting.Duty.Group
	eventually(t, "both share the duties", func(ctx context.Context) bool {
		known, err := client.DescribeGroups(ctx, &kafka.DescribeGroupsRequest{GroupIDs: []string{group}})
		return err == nil && len(known.Groups) == 1 && len(known.Groups[0].Members) == 2 && known.Groups[0].GroupState == "Stable"
	})
	return both
}

// Two services share the work; the one that pages is killed with kill -9. The
// other takes over, and people hear of one incident and of its end.
func TestKilledReplicaIsReplaced(t *testing.T) {
	w, env := newWorld(t), testenv.Start(t, testenv.Setup{})
	both := twoReplicas(t, w, env)
	finding := func(value float64) {
		t.Helper()
		err := env.DB.Conn().Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, window_end, measure, value, low, high, count, coverage, verdict)
			SELECT now64(3), 'burn', 'checkout', 'd1', 'production', 'own', '1h', now64(3), 'bad_share', ?, ?, ?, 1000, 1, 'ok'`, value, value, value)
		if err != nil {
			t.Fatal(err)
		}
	}
	finding(0.9)
	eventually(t, "the incident is told", func(context.Context) bool { return len(w.pagerduty.Alerts()) > 0 && len(w.slack.Roots()) > 0 })
	var speaker, other *replica
	eventually(t, "one of them is known to speak", func(ctx context.Context) bool {
		speaker, other = both[0], both[1]
		if !speaker.speaks(ctx) {
			speaker, other = both[1], both[0]
		}
		return speaker.speaks(ctx)
	})
	speaker.kill()
	killed := time.Now()
	eventually(t, "the other speaks", other.speaks)
	t.Logf("the other spoke after %s", time.Since(killed).Round(time.Millisecond))
	finding(0.1)
	eventually(t, "the end is told", func(context.Context) bool {
		return w.pagerduty.Alerts()[0].Resolved && strings.Contains(w.slack.Roots()[0].Text, "RESOLVED")
	})
	if pages, roots := w.pagerduty.Alerts(), w.slack.Roots(); len(pages) != 1 || len(roots) != 1 {
		t.Errorf("%d pages and %d messages, want one of each: %+v", len(pages), len(roots), roots)
	}
}
