package app_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// owned makes the model's owner hear of the service's own trouble too.
func owned(c *app.Config) { c.Alerting.ServiceOwner = "ml-oncall" }

// waitTrouble returns once PagerDuty has had the action for the alert, and
// Slack a root message that begins with the words.
func (w *world) waitTrouble(t *testing.T, action, alert, words string) fakepagerduty.Event {
	t.Helper()
	ctx, cancel := withPatience(t)
	defer cancel()
	var found fakepagerduty.Event
	err := w.pagerduty.WaitEvents(ctx, func(events []fakepagerduty.Event) bool {
		i := slices.IndexFunc(events, func(e fakepagerduty.Event) bool { return e.Action == action && e.Payload.Class == alert })
		if i >= 0 {
			found = events[i]
		}
		return i >= 0
	})
	if err != nil {
		t.Fatalf("PagerDuty never got %s of %s: %v; got %+v", action, alert, err, w.pagerduty.Events())
	}
	err = w.slack.WaitMessages(ctx, func([]fakeslack.Message) bool {
		return slices.ContainsFunc(w.slack.Roots(), func(m fakeslack.Message) bool { return strings.Contains(m.Text, words) })
	})
	if err != nil {
		t.Fatalf("Slack never got %q: %v; got %+v", words, err, w.slack.Roots())
	}
	return found
}

func TestFullDiskPagesAndLeavesOutRawRows(t *testing.T) {
	w := newWorld(t)
	var full atomic.Bool
	full.Store(true)
	s := w.serve(t, owned, func(c *app.Config) {
		c.Engine.DiskLimit = 0.85
		c.Engine.DiskUse = func(string) (float64, error) {
			if full.Load() {
				return 0.9, nil
			}
			return 0.5, nil
		}
	})
	page := w.waitTrouble(t, "trigger", "DiskFull", "PAGE: Plumbline: the disk of")
	if !strings.Contains(string(page.Payload.Details), "More than 85 % of the disk is used") {
		t.Errorf("the page does not say why: %s", page.Payload.Details)
	}
	now := time.Now().Truncate(time.Second)
	opts := traffic.Options{Seed: 41, Deploy: "d1", Predictions: 500, Start: now.Add(-30 * time.Hour), Span: 5 * time.Hour, Unlabelled: 1}
	without, want := generate(t, now, opts)
	s.send(t, without...)
	s.until(t, "SELECT sum(events) FROM batches FINAL WHERE table = 'predictions'", len(without))
	for query, n := range map[string]int{
		"SELECT count() FROM predictions": 0,
		"SELECT sum(count) FROM series_hour WHERE series = 'requests' AND model = 'checkout' AND segment = ''": want.Predictions,
	} {
		if got := s.number(t, query); got != n {
			t.Errorf("%s = %d, want %d", query, got, n)
		}
	}
	if v, _ := s.metric(t, `plumbline_ingest_raw_left_out_total{topic="predictions"}`); v == "" || v == "0" {
		t.Errorf("/metrics counts %q raw rows that were left out", v)
	}
	full.Store(false)
	end := w.waitTrouble(t, "resolve", "DiskFull", "RESOLVED: Plumbline: DiskFull of")
	if end.DedupKey != page.DedupKey {
		t.Errorf("triggered %s, resolved %s", page.DedupKey, end.DedupKey)
	}
	opts.Seed, opts.Start = 42, now.Add(-10*time.Hour)
	with, want := generate(t, now, opts)
	s.send(t, with...)
	s.until(t, "SELECT count() FROM predictions", want.Predictions)
	for _, kind := range []string{"disk_full", "raw_left_out", "disk_ok", "raw_stored"} {
		s.until(t, "SELECT count() FROM notices WHERE kind = '"+kind+"'", 1)
	}
}

func TestParkedPartitionPagesUntilItGoesOn(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t, owned, func(c *app.Config) { c.Ingest.ParkRetry = time.Second })
	exec := func(query string) {
		t.Helper()
		if err := s.DB().Conn().Exec(t.Context(), query); err != nil {
			t.Fatal(err)
		}
	}
	// A table that is gone is an error that no retry mends.
	exec("RENAME TABLE deployments TO away")
	s.send(t, deployment("aaaa1111", "v1", time.Now()))
	page := w.waitTrouble(t, "trigger", "PartitionParked", "PAGE: Plumbline: partition deployments/")
	if !strings.Contains(string(page.Payload.Details), "UNKNOWN_TABLE") && !strings.Contains(string(page.Payload.Details), "deployments") {
		t.Errorf("the page does not say why: %s", page.Payload.Details)
	}
	exec("RENAME TABLE away TO deployments")
	w.waitTrouble(t, "resolve", "PartitionParked", "RESOLVED: Plumbline: PartitionParked of deployments/")
	s.until(t, "SELECT count() FROM deployments", 1)
	s.until(t, "SELECT count() FROM notices WHERE kind = 'partition_unparked'", 1)
	if alerts := w.pagerduty.Alerts(); len(alerts) != 1 {
		t.Errorf("PagerDuty has %+v, want one incident", alerts)
	}
}

// Five crashes in five minutes are a page, and /-/ready says why the service is
// not ready. The page carries the reason although ClickHouse cannot be asked.
func TestCrashLoopPagesAndReadySaysWhy(t *testing.T) {
	w := newWorld(t)
	s := w.serve(t, owned)
	if s.EnginePID() == 0 {
		t.Skip("there is no embedded engine to kill")
	}
	for n := range 5 {
		pid := waitEngine(t, s)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		waitGone(t, s, pid)
		t.Logf("crash %d", n+1)
	}
	page := w.waitTrouble(t, "trigger", "EngineCrashLoop", "PAGE: Plumbline: ClickHouse at")
	if page.Payload.Group != "" || !strings.Contains(string(page.Payload.Details), "killed") {
		t.Errorf("the page is %+v, want no model and the reason", page.Payload)
	}
	status, body := s.get(t, "/-/ready")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "crashed 5 times within 5 minutes") {
		t.Errorf("/-/ready answers %d: %s", status, body)
	}
	if status, _ := s.get(t, "/-/healthy"); status != http.StatusOK {
		t.Errorf("/-/healthy answers %d: restarting the service mends nothing", status)
	}
	for _, e := range w.pagerduty.Events() {
		if e.Payload.Severity != "critical" || e.Payload.Source != "plumbline" {
			t.Errorf("event %+v", e)
		}
	}
}

// waitEngine returns the process of an engine that answers.
func waitEngine(t *testing.T, s *service) int {
	t.Helper()
	return poll(t, "the engine answers", func() (int, bool) {
		status, _ := s.get(t, "/-/ready")
		return s.EnginePID(), status == http.StatusOK && s.EnginePID() != 0
	})
}

// waitGone returns when the service has noticed that the process ended.
func waitGone(t *testing.T, s *service, pid int) {
	t.Helper()
	poll(t, "the crash is noticed", func() (int, bool) { now := s.EnginePID(); return now, now != pid })
}

func poll(t *testing.T, what string, f func() (int, bool)) int {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		if v, ok := f(); ok {
			return v
		}
		select {
		case <-deadline:
			t.Fatalf("%s: not within %s", what, patience)
		case <-tick.C:
		}
	}
}

func TestUnknownServiceOwnerIsRefused(t *testing.T) {
	w := newWorld(t)
	text := strings.Replace(configuration, "  owners:", "  service_owner: nobody\n  owners:", 1)
	w.write(t, "wrong.yml", strings.NewReplacer("%s", w.slack.APIURL()).Replace(text))
	_, err := app.Load(w.dir + "/wrong.yml")
	// The line is looked up: a setting added to the tests' configuration moved it, and the test failed for that.
	line := 1 + strings.Count(text[:strings.Index(text, "service_owner:")], "\n")
	want := fmt.Sprintf(`wrong.yml:%d: alerting.service_owner: "nobody" is no owner of the registry`, line)
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	w.write(t, "limit.yml", "engine: {disk_limit: 1.5}\nalerting: {service_owner: a, owners: [{name: a}]}\n")
	if _, err := app.Load(w.dir + "/limit.yml"); err == nil || !strings.Contains(err.Error(), "engine.disk_limit: 1.5") || strings.Contains(err.Error(), "service_owner") {
		t.Errorf("got %v", err)
	}
}
