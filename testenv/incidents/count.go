package incidents

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/testenv/fakehttp"
	"github.com/plumbline-slo/plumbline/testenv/fakeslack"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

func resolvedRoot(m fakeslack.Message) bool { return strings.Contains(m.Text, "RESOLVED") }

// resolved reports whether everything that was told of is told to be over.
func (r *run) resolved() bool {
	alerts, roots := r.pagerduty.Alerts(), r.slack.Roots()
	if len(alerts) < r.Incidents || len(roots) < r.Incidents {
		return false
	}
	for _, a := range alerts {
		if !a.Resolved {
			return false
		}
	}
	for _, m := range roots {
		if !resolvedRoot(m) {
			return false
		}
	}
	return true
}

// tally is what one incident became.
type tally struct{ pages, pagesOpen, roots, rootsOpen int }

// trace is every request that told of an incident, with its time.
func (r *run) trace(i incident) string {
	var b strings.Builder
	write := func(channel string, requests []fakehttp.Request, mentions func(body string) bool, say func(body string) string) {
		for _, q := range requests {
			if body := string(q.Body); mentions(body) {
				fmt.Fprintf(&b, "    %s %s %s %s\n", q.At.Format("15:04:05.000"), channel, q.Path, say(body))
			}
		}
	}
	write("pagerduty", r.pagerduty.Requests(), func(body string) bool { return strings.Contains(body, i.key()) }, func(body string) string {
		_, action, _ := strings.Cut(body, `"event_action":`)
		return action[:min(len(action), 14)]
	})
	write("slack", r.slack.Requests(), func(body string) bool { return strings.Contains(body, string(i.deploy)) }, func(body string) string {
		form, err := url.ParseQuery(body)
		if err != nil {
			return err.Error()
		}
		text := form.Get("text")
		return form.Get("ts") + " thread " + form.Get("thread_ts") + " " + text[:min(len(text), 40)]
	})
	return b.String()
}

// told sorts what the fakes got by incident; strangers are what they got of no
// incident of the script.
func (r *run) told() (tallies map[string]*tally, strangers []string) {
	tallies = make(map[string]*tally, len(r.incidents))
	for _, i := range r.incidents {
		tallies[i.key()] = new(tally)
	}
	of := func(matches func(key string) bool, what string) *tally {
		for key, t := range tallies {
			if matches(key) {
				return t
			}
		}
		strangers = append(strangers, what)
		return new(tally)
	}
	for _, a := range r.pagerduty.Alerts() {
		t := of(func(key string) bool { return key == a.DedupKey }, "PagerDuty "+a.DedupKey)
		t.pages++
		if !a.Resolved {
			t.pagesOpen++
		}
	}
	for _, m := range r.slack.Roots() {
		t := of(func(key string) bool { return strings.Contains(string(m.Metadata), key) }, fmt.Sprintf("Slack %s %s %s", m.TS, m.Text, m.Metadata))
		t.roots++
		if !resolvedRoot(m) {
			t.rootsOpen++
		}
	}
	return tallies, strangers
}

// count holds what people were told against the script.
func (r *run) count(ctx context.Context) ([]figure.Figure, error) {
	tallies, strangers := r.told()
	var missed, doubled, open float64
	for _, i := range r.incidents {
		t := tallies[i.key()]
		if t.pages == 0 || t.roots == 0 {
			missed++
		}
		if t.pages > 1 || t.roots > 1 {
			doubled++
		}
		if t.pagesOpen+t.rootsOpen > 0 {
			open++
		}
		if *t != (tally{pages: 1, roots: 1}) {
			fmt.Fprintf(r.Text, "  incident %d (kind %d): %+v\n%s", i.number, i.number%kinds, *t, r.trace(i))
		}
	}
	for _, s := range strangers {
		fmt.Fprintln(r.Text, "  of no scripted incident:", s)
	}
	name := "replay_incidents"
	if r.Kills > 0 {
		name = "chaos_alerting"
	}
	figures := []figure.Figure{
		figure.Exactly(name+"_pagerduty_incidents", float64(len(r.pagerduty.Alerts())), "incidents", float64(r.Incidents)),
		figure.Exactly(name+"_slack_roots", float64(len(r.slack.Roots())), "messages", float64(r.Incidents)),
		figure.Exactly(name+"_missed", missed, "incidents", 0),
		figure.Exactly(name+"_doubled", doubled, "incidents", 0),
		figure.Exactly(name+"_not_resolved", open, "incidents", 0),
		figure.Exactly(name+"_strangers", float64(len(strangers)), "incidents", 0),
		figure.AtLeast(name+"_restarts", float64(r.restarts), "processes", 1),
	}
	if r.Kills > 0 {
		figures = append(figures, figure.Exactly(name+"_kills", float64(r.kills), "kill -9", float64(r.Kills)))
	}
	figures = append(figures, r.truth.duties.figures(name)...)
	records, err := r.countRecords(ctx, name)
	return append(figures, records...), err
}

// records is what replicas remember, and have forgotten.
type records struct{ rows, acksLost, acksDoubled, silencesLost float64 }

// countRecords holds what both replicas remember against what was done.
func (r *run) countRecords(ctx context.Context, name string) ([]figure.Figure, error) {
	if err := r.until(ctx, patience, "both replicas answer", func() bool {
		for _, api := range r.apis {
			if r.get(ctx, api+"/api/v2/status", nil) != nil {
				return false
			}
		}
		return true
	}); err != nil {
		return nil, err
	}
	var all records
	for _, api := range r.apis {
		if err := r.remembered(ctx, api, &all); err != nil {
			return nil, err
		}
	}
	figures := []figure.Figure{figure.Exactly(name+"_resolved_records", all.rows, "incidents", float64(len(r.apis)*r.Incidents))}
	if r.Kills == 0 {
		return figures, nil
	}
	return append(figures,
		figure.AtLeast(name+"_acknowledged", float64(len(r.acked)), "incidents", 1),
		figure.Exactly(name+"_acks_lost", all.acksLost, "records", 0),
		figure.Exactly(name+"_acks_doubled", all.acksDoubled, "records", 0),
		figure.AtLeast(name+"_silenced", float64(len(r.silenced)), "incidents", 1),
		figure.Exactly(name+"_silences_lost", all.silencesLost, "records", 0),
	), nil
}

// remembered adds what one replica knows of what was done.
func (r *run) remembered(ctx context.Context, api string, all *records) error {
	var incidents []alerting.Incident
	if err := r.get(ctx, api+"/api/incidents", &incidents); err != nil {
		return err
	}
	for _, i := range incidents {
		if !i.EscalatedAt.IsZero() && !i.Open() {
			all.rows++
		}
	}
	for key, who := range r.acked {
		var i alerting.Incident
		if err := r.get(ctx, api+"/api/incidents/"+key, &i); err != nil {
			all.acksLost++
			continue
		}
		switch acknowledgements(i, who) {
		case 0:
			all.acksLost++
		case 1:
		default:
			all.acksDoubled++
		}
	}
	for _, id := range r.silenced {
		if r.get(ctx, api+"/api/v2/silence/"+id, nil) != nil {
			all.silencesLost++
		}
	}
	return nil
}

// acknowledgements is how often an incident remembers that somebody took it.
func acknowledgements(i alerting.Incident, who string) int {
	n := 0
	for _, e := range i.Events {
		if e.Kind == alerting.EventAcknowledged && e.By == who {
			n++
		}
	}
	return n
}
