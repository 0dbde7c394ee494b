package app_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/app"
	"github.com/plumbline-slo/plumbline/testenv/traffic"
)

// A dead label pipeline pages once, as that and as nothing else, also over a
// restart, and the page resolves when labels come again.
func TestADeadLabelPipelineIsOnePage(t *testing.T) {
	t.Parallel() // it mostly waits
	w := newWorld(t)
	patient := func(after time.Duration) func(*app.Config) {
		return func(c *app.Config) {
			c.Analyze.LabelArrival.Interval, c.Analyze.LabelArrival.For = 200*time.Millisecond, after
		}
	}
	// All of the past is stored before anybody may be told.
	s := w.serve(t, patient(time.Hour))
	now := time.Now()
	died := now.Add(-3 * time.Hour)
	all, _ := generate(t, now, traffic.Options{Seed: 5, Deploy: "aaaa1111", Predictions: 72 * 60, Start: now.Add(-72 * time.Hour), Span: 72 * time.Hour, MeanLabelDelay: time.Minute})
	var heard, lost []traffic.Message
	for _, m := range all {
		if m.Topic == "labels" && !m.Time.Before(died) {
			lost = append(lost, m)
			continue
		}
		heard = append(heard, m)
	}
	s.send(t, heard...)
	s.until(t, stored, len(heard))
	s.until(t, joined, countOf(heard, "labels"))
	s.until(t, arrivals("NOT value = 1", time.Now()), 2)
	if e := w.pagerduty.Events(); len(e) != 0 {
		t.Fatalf("before anybody is told of labels PagerDuty got %+v", e)
	}
	s.stop()

	s = w.serve(t, patient(time.Second))
	w.waitPage(t, 1)
	checkLabelPage(t, w)
	s.stop()
	s = w.serve(t, patient(time.Second))
	s.waitLooks(t, "aaaa1111")
	s.until(t, arrivals("value = 1", time.Now()), 5)
	checkLabelPage(t, w)

	back := time.Now()
	for i := range lost {
		lost[i].Time = back
	}
	s.send(t, lost...)
	s.until(t, arrivals("value = 0", back), 1)
	w.waitResolved(t)
	if alerts := w.pagerduty.Alerts(); alerts[0].Triggers != 1 || len(w.slack.Roots()) != 1 {
		t.Errorf("PagerDuty has %+v and Slack %+v, want one incident, triggered once", alerts, w.slack.Roots())
	}
}

// arrivals counts what was found since of whether labels arrive.
func arrivals(where string, since time.Time) string {
	return fmt.Sprintf("SELECT count() FROM findings WHERE signal = 'label_arrival' AND measure = 'blind' AND (%s) AND at > fromUnixTimestamp64Milli(%d)", where, since.UnixMilli())
}

// checkLabelPage expects one open page, about labels.
func checkLabelPage(t *testing.T, w *world) {
	t.Helper()
	alerts, roots := w.pagerduty.Alerts(), w.slack.Roots()
	if len(alerts) != 1 || len(roots) != 1 || alerts[0].Resolved || alerts[0].Triggers != 1 {
		t.Fatalf("PagerDuty has %+v and Slack %+v, want one open incident, triggered once", alerts, roots)
	}
	event := w.pagerduty.Events()[0]
	for where, text := range map[string]string{"PagerDuty": event.Payload.Summary, "Slack": string(roots[0].Blocks)} {
		if !strings.Contains(text, "checkout") || !strings.Contains(text, "labels have stopped coming") {
			t.Errorf("what %s got is not about the labels of checkout: %s", where, text)
		}
	}
}
