package timeline_test

import (
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/cmd/plumbline/internal/timeline"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

var update = flag.Bool("update", false, "write the golden files anew")

func TestMain(m *testing.M) { testenv.Main(m) }

// past inserts what happened around one incident, and one beside it.
func past(t *testing.T, db *storage.DB) {
	t.Helper()
	for _, statement := range []string{
		`INSERT INTO deployments (model, deploy_hash, stage, ts, version, by, commit, dataset_hash, feature_job, note) VALUES
			('m', 'd1', 'production', '2026-11-20 15:00:00', 'v1', 'ci', 'abc', 'data-1', 'hourly', ''),
			('m', 'd2', 'production', '2026-11-21 11:50:00', 'v2', 'ann', 'def', 'data-2', 'hourly', 'a | b'),
			('m', 'd2', 'production', '2026-11-21 11:51:00', 'v2', 'a replica', 'def', 'data-2', 'hourly', 'a | b'),
			('other', 'x', 'production', '2026-11-21 11:50:00', '', '', '', '', '', '')`,
		`INSERT INTO findings (at, signal, model, deploy_hash, stage, feature, reference, measure, value, verdict) VALUES
			('2026-11-21 11:55:00', 'drift', 'm', 'd2', 'production', 'distance', 'training', 'psi', 3.25, 'breach'),
			('2026-11-21 11:56:00', 'drift', 'm', 'd2', 'production', 'distance', 'training', 'psi', 3.5, 'breach'),
			('2026-11-21 11:56:00', 'drift', 'm', 'd2', 'production', 'origin', 'training', 'psi', 0.01, 'ok'),
			('2026-11-21 11:56:00', 'drift', 'other', 'x', 'production', 'distance', 'training', 'psi', 9, 'breach')`,
		`INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, reference, measure, value, verdict) VALUES
			('2026-11-21 11:57:00', 'burn', 'm', 'd2', 'production', 's', '1h', '', 'bad_share', 0.25, 'breach'),
			('2026-11-21 11:58:00', 'burn', 'm', 'd2', 'production', 's', '1h', '', 'bad_share', 0.5, 'breach'),
			('2026-11-21 11:58:00', 'burn', 'm', 'd2', 'production', 's', '6h', '', 'bad_share', 0.125, 'breach'),
			('2026-11-21 11:58:00', 'burn', 'm', 'd2', 'production', 's', '1h', 'p', 'bad_share_of_part', 0.000242, 'breach'),
			('2026-11-21 11:10:00', 'burn', 'm', 'd1', 'production', 's', '1h', '', 'bad_share', 0.75, 'breach'),
			('2026-11-21 11:10:00', 'burn', 'm', 'd2', 'production', 'another', '1h', '', 'bad_share', 0.75, 'breach'),
			('2026-11-21 11:10:00', 'burn', 'm', '', 'production', 's', '1h', '', 'bad_share', 0.75, 'breach')`,
		`INSERT INTO notices (at, kind, model, deploy_hash, slo, object, text) VALUES
			('2026-11-21 11:58:00', 'plan_changed', '', '', '', 'predictions/1', 'the mapping changed'),
			('2026-11-21 12:00:05', 'alert_opened', 'm', 'd2', 's', 'slack', 'told twice otherwise')`,
		`INSERT INTO incidents (incident, key, model, deploy_hash, slo, name, owner, severity, feature_job, opened, escalated, acknowledged, acknowledged_by, resolved, history, version) VALUES
			('aaaa-1', 'aaaa', 'm', 'd2', 's', 'SLOBurn', 'ann', 'ticket', '', '2026-11-21 12:00:00', '1970-01-01', '1970-01-01', '', '1970-01-01', '[]', 1)`,
		`INSERT INTO incidents (incident, key, model, deploy_hash, slo, name, owner, severity, feature_job, opened, escalated, acknowledged, acknowledged_by, resolved, history, version) VALUES
			('aaaa-1', 'aaaa', 'm', 'd2', 's', 'SLOBurn', 'ann', 'page', 'hourly', '2026-11-21 12:00:00', '2026-11-21 12:01:00', '2026-11-21 12:03:30', 'bob', '2026-11-21 12:30:00',
			'[{"at":"2026-11-21T12:00:00Z","kind":"opened","text":"ticket"},{"at":"2026-11-21T12:01:00Z","kind":"escalated","text":"page"},{"at":"2026-11-21T12:01:05Z","kind":"notified","channel":"pagerduty","by":"ann","text":"first notification"},{"at":"2026-11-21T12:02:00Z","kind":"handed_on","by":"boss","text":"nobody acknowledged within 1m0s"},{"at":"2026-11-21T12:02:01Z","kind":"notified","channel":"slack","text":"first notification"},{"at":"2026-11-21T12:03:30Z","kind":"acknowledged","by":"bob","text":"page"},{"at":"2026-11-21T12:10:00Z","kind":"silenced","by":"bob","text":"for 1h0m0s: known"},{"at":"2026-11-21T12:30:00Z","kind":"resolved"}]', 2),
			('bbbb-1', 'bbbb', 'n', 'y', 's', 'SLOBurn', 'ann', 'page', 'hourly', '2026-11-21 12:05:00', '2026-11-21 12:05:00', '1970-01-01', '', '1970-01-01', '[]', 1),
			('dddd-1', 'dddd', 'search', '', '', 'TooSlow', 'ann', 'page', 'hourly', '2026-11-21 12:06:00', '2026-11-21 12:06:00', '1970-01-01', '', '1970-01-01', '[]', 1),
			('cccc-1', 'cccc', 'far', 'z', 's', 'SLOBurn', 'ann', 'page', 'daily', '2026-11-21 12:05:00', '2026-11-21 12:05:00', '1970-01-01', '', '1970-01-01', '[]', 1)`,
	} {
		if err := db.Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTimeline(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	past(t, env.DB)
	now := time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)
	told, err := timeline.Read(t.Context(), env.DB.Conn(), "aaaa", now)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := told.Markdown(&b, now); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("testdata", "timeline.md")
	if *update {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || b.String() != string(want) {
		t.Errorf("%v; got\n%s", err, b.String())
	}
	all, err := timeline.Incidents(t.Context(), env.DB.Conn(), "", 10)
	if err != nil || len(all) != 4 || all[3].Incident != "aaaa-1" || all[3].Status() != "resolved" || all[0].Status() != "open" || all[0].About() != "search TooSlow" {
		t.Errorf("incidents %+v, %v", all, err)
	}
	if _, err := timeline.Read(t.Context(), env.DB.Conn(), "nothing", now); !errors.Is(err, alerting.ErrNoIncident) {
		t.Errorf("an unknown incident: %v", err)
	}
	times(t, env.DB)
}

// times holds the view against the row.
func times(t *testing.T, db *storage.DB) {
	t.Helper()
	var acknowledge, resolve float64
	var status string
	row := db.Conn().QueryRow(context.WithoutCancel(t.Context()), "SELECT status, assumeNotNull(to_acknowledge_s), assumeNotNull(to_resolve_s) FROM incident_times WHERE incident = 'aaaa-1'")
	if err := row.Scan(&status, &acknowledge, &resolve); err != nil {
		t.Fatal(err)
	}
	if status != "resolved" || acknowledge != 150 || resolve != 1800 {
		t.Errorf("%s, acknowledged after %v s, resolved after %v s; want resolved, 150, 1800", status, acknowledge, resolve)
	}
}
