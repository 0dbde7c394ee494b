package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv/fakepagerduty"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// The whole story on a small scale: a good deploy pages nobody; a deploy that
// breaks the feature amount pages once; a restart neither doubles a row nor
// pages again; corrected labels resolve the page.
func TestOneFaultIsOnePage(t *testing.T) {
	t.Parallel() // it mostly waits
	w := newWorld(t)
	s := w.serve(t)
	// Whole minutes, because the windows that burn rates look at are: traffic that
	// ended in the middle of one left a handful of predictions to the short window,
	// whose share of errors one time in eight was not beyond the threshold.
	now := time.Now().Truncate(time.Minute)
	const good, faulty plumbline.DeployHash = "aaaa1111", "bbbb2222"

	training, _ := generate(t, now, traffic.Options{Seed: 1, Deploy: good, Stage: plumbline.StageTraining, Predictions: 2000, Start: now.Add(-72 * time.Hour), Span: 24 * time.Hour, Unlabelled: 1})
	before, _ := generate(t, now, traffic.Options{Seed: 2, Deploy: good, Predictions: 4000, Start: now.Add(-30 * time.Hour), Span: 28 * time.Hour, MeanLabelDelay: time.Minute})
	s.send(t, append(training, deployment(good, "v1", now.Add(-72*time.Hour)))...)
	s.send(t, before...)
	sent := len(training) + 1 + len(before)
	s.until(t, stored, sent)
	s.until(t, joined, countOf(before, "labels"))
	s.waitLooks(t, good)
	if m, e := w.slack.Messages(), w.pagerduty.Events(); len(m) != 0 || len(e) != 0 {
		t.Fatalf("before the fault Slack got %+v and PagerDuty %+v", m, e)
	}

	broken, _ := generate(t, now, traffic.Options{Seed: 3, Deploy: faulty, Predictions: 2000, Start: now.Add(-90 * time.Minute), Span: 85 * time.Minute, MeanLabelDelay: time.Minute, BrokenFrom: now.Add(-90 * time.Minute)})
	s.send(t, append(broken, deployment(faulty, "v2", now.Add(-90*time.Minute)))...)
	sent += len(broken) + 1
	w.waitPage(t, 1)
	checkPage(t, w, faulty)
	checkRules(t, w, s)
	s.until(t, stored, sent)
	s.until(t, joined, countOf(before, "labels")+countOf(broken, "labels"))

	labelled := s.number(t, joined)
	s.stop()
	s = w.serve(t)
	s.waitLooks(t, faulty)
	for query, want := range map[string]int{stored: sent, joined: labelled, "SELECT count() FROM predictions": countOf(training, "predictions") + countOf(before, "predictions") + countOf(broken, "predictions")} {
		if got := s.number(t, query); got != want {
			t.Errorf("after a restart %s = %d, want %d", query, got, want)
		}
	}
	checkPage(t, w, faulty)

	s.send(t, corrections(t, broken, now)...)
	w.waitResolved(t)
	if roots := w.slack.Roots(); len(roots) != 1 {
		t.Errorf("%d Slack messages of one incident, want 1", len(roots))
	}
}

// checkRules asks what evaluates rules, once it does: for its own metrics, and to
// read a rule file that the user has put beside the generated one.
func checkRules(t *testing.T, w *world, s *service) {
	t.Helper()
	for _, series := range []string{"plumbline_rules_source_errors_total", "plumbline_rules_state_errors_total", "plumbline_rules_held_series"} {
		if _, ok := s.metric(t, series); !ok {
			t.Errorf("/metrics has no %s", series)
		}
	}
	const own, evaluations = "data/rules/files/own.yml", `plumbline_rules_prometheus_rule_group_iterations_total{rule_group="`
	group := evaluations + filepath.Join(w.dir, own) + `;own"}`
	w.write(t, own, "groups: [{name: own, rules: [{record: one, expr: 'vector(1'}]}]\n")
	if status, body := s.post(t, "/-/reload", "", ""); status != http.StatusInternalServerError || !strings.Contains(body, "own.yml") {
		t.Errorf("a broken rule file: /-/reload answers %d: %s", status, body)
	}
	w.write(t, own, "groups: [{name: own, rules: [{record: one, expr: 'vector(1)'}]}]\n")
	if status, body := s.post(t, "/-/reload", "", ""); status != http.StatusOK {
		t.Errorf("a rule file: /-/reload answers %d: %s", status, body)
	}
	if _, ok := s.metric(t, group); !ok {
		t.Errorf("/metrics has no %s: the rule file was not read", group)
	}
	if status, _ := s.get(t, "/-/reload"); status == http.StatusOK {
		t.Error("a GET has rules read")
	}
}

// joined counts the predictions with a label.
const joined = "SELECT sum(labelled) FROM outcome_cells FINAL"

// generate makes the traffic of the declared model that is known by now.
func generate(t *testing.T, now time.Time, opts traffic.Options) ([]traffic.Message, traffic.Expected) {
	t.Helper()
	opts.Model = "checkout"
	all, expected, err := traffic.Generate(opts)
	if err != nil {
		t.Fatal(err)
	}
	var known []traffic.Message
	for _, m := range all {
		if !m.Time.After(now) {
			known = append(known, m)
		}
	}
	return known, expected
}

func countOf(messages []traffic.Message, topic string) (n int) {
	for _, m := range messages {
		if m.Topic == topic {
			n++
		}
	}
	return n
}

func deployment(hash plumbline.DeployHash, version string, at time.Time) traffic.Message {
	value := fmt.Sprintf(`{"model":"checkout","deploy_hash":%q,"ts":%d,"version":%q,"by":"ci"}`, hash, at.UnixMilli(), version)
	return traffic.Message{Topic: "deployments", Key: "checkout", Value: []byte(value), Time: at}
}

// corrections are later labels that say that every prediction was right.
func corrections(t *testing.T, messages []traffic.Message, now time.Time) []traffic.Message {
	t.Helper()
	var labels []traffic.Message
	for _, m := range messages {
		if m.Topic != "predictions" {
			continue
		}
		var e struct {
			Predicted string `json:"predicted"`
		}
		if err := json.Unmarshal(m.Value, &e); err != nil {
			t.Fatal(err)
		}
		value := fmt.Sprintf(`{"prediction_id":%q,"model":"checkout","ts":%d,"label":%q}`, m.Key, now.UnixMilli(), e.Predicted)
		labels = append(labels, traffic.Message{Topic: "labels", Key: m.Key, Value: []byte(value), Time: now})
	}
	return labels
}

// waitLooks returns when the analyzers have found the deploy's burn and the
// rules were evaluated on it twice: what had to fire has fired.
func (s *service) waitLooks(t *testing.T, deploy plumbline.DeployHash) {
	t.Helper()
	s.until(t, fmt.Sprintf("SELECT count() FROM findings WHERE signal = 'burn' AND deploy_hash = '%s' AND isFinite(value) AND at > fromUnixTimestamp64Milli(%d)", deploy, time.Now().UnixMilli()), 6)
}

// waitPage returns when PagerDuty was triggered and Slack has the message.
func (w *world) waitPage(t *testing.T, events int) {
	t.Helper()
	ctx, cancel := withPatience(t)
	defer cancel()
	if err := w.pagerduty.WaitEvents(ctx, func(e []fakepagerduty.Event) bool { return len(e) >= events }); err != nil {
		t.Fatal(err)
	}
	if err := w.slack.WaitMessages(ctx, func(m []fakeslack.Message) bool { return len(m) > 0 }); err != nil {
		t.Fatal(err)
	}
}

// checkPage expects one page that names what is broken, and no other.
func checkPage(t *testing.T, w *world, deploy plumbline.DeployHash) {
	t.Helper()
	alerts, roots := w.pagerduty.Alerts(), w.slack.Roots()
	if len(alerts) != 1 || len(roots) != 1 || alerts[0].Resolved || alerts[0].Triggers != 1 {
		t.Fatalf("PagerDuty has %+v and Slack %+v, want one open incident, triggered once", alerts, roots)
	}
	event := w.pagerduty.Events()[0]
	for where, text := range map[string]string{"PagerDuty": event.Payload.Summary + string(event.Payload.Details), "Slack": string(roots[0].Blocks)} {
		for _, word := range []string{"checkout", string(deploy), "amount"} {
			if !strings.Contains(text, word) {
				t.Errorf("what %s got does not name %s: %s", where, word, text)
			}
		}
		if strings.Contains(text, "channel=") {
			t.Errorf("what %s got blames the feature channel, which is as it was: %s", where, text)
		}
	}
}

func (w *world) waitResolved(t *testing.T) {
	t.Helper()
	ctx, cancel := withPatience(t)
	defer cancel()
	resolved := func([]fakepagerduty.Event) bool {
		alerts := w.pagerduty.Alerts()
		return len(alerts) == 1 && alerts[0].Resolved
	}
	if err := w.pagerduty.WaitEvents(ctx, resolved); err != nil {
		t.Fatalf("corrected labels do not resolve the page: %v; PagerDuty has %+v", err, w.pagerduty.Alerts())
	}
}
