package app

import (
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/timeline"
	"github.com/plumbline-slo/plumbline/testenv"
)

// The rows of an incident replace each other, whoever wrote them first.
func TestIncidentRowsReplaceEachOther(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	rows := incidentRows{db: env.DB.Derived()}
	opened := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	i := alerting.Incident{
		ID: "k-1", Key: "k", Model: "m", Deploy: "d", SLO: "s", Name: "SLOBurn", Owner: "o", Severity: plumbline.SeverityTicket, OpenedAt: opened,
		Events: []alerting.IncidentEvent{{At: opened, Kind: alerting.EventOpened, Text: "ticket"}},
	}
	if err := rows.RecordIncidents(t.Context(), []alerting.Incident{i}); err != nil {
		t.Fatal(err)
	}
	i.Severity, i.EscalatedAt, i.ResolvedAt = plumbline.SeverityPage, opened.Add(time.Minute), opened.Add(time.Hour)
	i.Acks = map[string]alerting.Ack{plumbline.SeverityPage: {By: "bob", At: opened.Add(50 * time.Minute)}} // when it fired again
	took := opened.Add(2 * time.Minute)
	i.Events = append(i.Events, alerting.IncidentEvent{At: took, Kind: alerting.EventAcknowledged, By: "ann", Text: plumbline.SeverityPage})
	for range 2 { // once more does no harm
		if err := rows.RecordIncidents(t.Context(), []alerting.Incident{i}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := timeline.Incidents(t.Context(), env.DB.Conn(), "", 10)
	if err != nil || len(got) != 1 {
		t.Fatalf("%+v, %v; want one row", got, err)
	}
	r := got[0]
	if r.Incident != "k-1" || r.Severity != "page" || r.AcknowledgedBy != "ann" || !r.Acknowledged.Equal(took) || !r.Resolved.Equal(i.ResolvedAt) || !r.Escalated.Equal(i.EscalatedAt) || len(r.History) != 2 {
		t.Errorf("row %+v", r)
	}
}

// A deploy that is tried out mutes its tickets for a while.
func TestCanariesAreMuteWindows(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if err := env.DB.Conn().Exec(t.Context(), `INSERT INTO deployments (model, deploy_hash, stage, ts, note, dataset_hash, feature_job) VALUES
		('m', 'new', 'canary', now() - INTERVAL 5 MINUTE, 'try', 'data-1', 'hourly'), ('m', 'old', 'canary', now() - INTERVAL 3 HOUR, '', '', ''), ('m', 'live', 'production', now(), '', '', '')`); err != nil {
		t.Fatal(err)
	}
	c := &canaries{conn: env.DB.Conn(), lasts: time.Hour, every: 5 * time.Minute}
	begun := time.Now()
	if _, known := c.MuteWindows(begun); known {
		t.Error("canaries are known before they were read")
	}
	if _, known := c.MuteWindows(begun.Add(canaryPatience + time.Second)); !known {
		t.Error("tickets wait for canaries without end")
	}
	if err := c.readWindows(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.readKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if dataset, job := c.Correlation("m", "new"); dataset != "data-1" || job != "hourly" {
		t.Errorf("shares %q and %q", dataset, job)
	}
	windows, known := c.MuteWindows(begun)
	if len(windows) != 1 || !known || windows[0].Deploy != "new" || windows[0].To.Sub(windows[0].From) != time.Hour || windows[0].Reason != "canary try" {
		t.Errorf("windows %+v, want that of the new canary", windows)
	}
}
