package timeline

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/alerting"
)

//go:embed sql/*.sql
var files embed.FS

// before is how far back a timeline looks for what may have been the cause, and
// after how far beyond the end.
const (
	before = 24 * time.Hour
	after  = time.Hour
)

// Row is one incident as the table keeps it.
type Row struct {
	Incident, Key, Model, Deploy, SLO, Name, Object, Owner, Severity, DatasetHash, FeatureJob, AcknowledgedBy string
	// The zero time is what has not happened.
	Opened, Escalated, Acknowledged, Resolved time.Time
	History                                   []alerting.IncidentEvent
}

// Status is open, acknowledged or resolved.
func (r Row) Status() string {
	switch {
	case !r.Resolved.IsZero():
		return "resolved"
	case !r.Acknowledged.IsZero():
		return "acknowledged"
	default:
		return "open"
	}
}

// About names what the incident is about: of a user's own rule, which has no SLO, the
// alert.
func (r Row) About() string {
	if r.Model == "" {
		return r.Name + " of " + r.Object
	}
	return strings.Join(strings.Fields(r.Model+" "+r.Deploy+" "+cmp.Or(r.SLO, r.Name)), " ")
}

// Entry is one line of a timeline.
type Entry struct {
	At time.Time
	// Kind is deploy, data, service, incident or, of what an analyzer found, its
	// signal.
	Kind string
	Text string
}

// Timeline is one incident and what happened around it.
type Timeline struct {
	Row
	Entries []Entry
	Related []Related
}

// Related is another incident at the same time of the same model, training set
// or feature job.
type Related struct {
	Incident, About, Severity string
	Opened, Resolved          time.Time
}

// Incidents returns the incidents that an ID or a key names, or the latest ones
// for the empty name, the latest first.
func Incidents(ctx context.Context, conn driver.Conn, name string, limit int) ([]Row, error) {
	rows, err := query(ctx, conn, "incident", clickhouse.Parameters{"incident": name, "limit": fmt.Sprint(limit)})
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	var out []Row
	for rows.Next() {
		var r Row
		var history string
		if err := rows.Scan(&r.Incident, &r.Key, &r.Model, &r.Deploy, &r.SLO, &r.Name, &r.Object, &r.Owner, &r.Severity, &r.DatasetHash, &r.FeatureJob,
			&r.Opened, &r.Escalated, &r.Acknowledged, &r.AcknowledgedBy, &r.Resolved, &history); err != nil {
			return nil, fmt.Errorf("read incident: %w", err)
		}
		for _, t := range []*time.Time{&r.Escalated, &r.Acknowledged, &r.Resolved} {
			if t.UnixMilli() == 0 {
				*t = time.Time{}
			}
		}
		if err := json.Unmarshal([]byte(history), &r.History); err != nil {
			return nil, fmt.Errorf("history of incident %s: %w", r.Incident, err)
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// Read returns the timeline of an incident; a key names the last of its
// incidents.
func Read(ctx context.Context, conn driver.Conn, name string, now time.Time) (Timeline, error) {
	if name == "" {
		return Timeline{}, alerting.ErrNoIncident
	}
	rows, err := Incidents(ctx, conn, name, 1)
	if err != nil {
		return Timeline{}, err
	}
	if len(rows) == 0 {
		return Timeline{}, fmt.Errorf("%w: %q", alerting.ErrNoIncident, name)
	}
	t := Timeline{Row: rows[0]}
	for _, read := range []func(context.Context, driver.Conn, clickhouse.Parameters) error{t.deploys, t.found, t.notices, t.related} {
		if err := read(ctx, conn, t.parameters(now)); err != nil {
			return Timeline{}, fmt.Errorf("incident %s: %w", t.Incident, err)
		}
	}
	for _, e := range t.History {
		t.Entries = append(t.Entries, Entry{At: e.At, Kind: "incident", Text: describe(e)})
	}
	slices.SortStableFunc(t.Entries, func(a, b Entry) int { return a.At.Compare(b.At) })
	return t, nil
}

func (t *Timeline) parameters(now time.Time) clickhouse.Parameters {
	until := t.Resolved
	if until.IsZero() {
		until = now
	}
	const layout = "2006-01-02 15:04:05.000"
	return clickhouse.Parameters{
		"incident": t.Incident, "model": t.Model, "deploy": t.Deploy, "slo": t.SLO, "dataset": t.DatasetHash, "job": t.FeatureJob,
		"since": t.Opened.Add(-before).UTC().Format(layout), "until": until.Add(after).UTC().Format(layout),
	}
}

func describe(e alerting.IncidentEvent) string {
	switch e.Kind {
	case alerting.EventOpened:
		return "opened as a " + e.Text
	case alerting.EventEscalated:
		return "became a " + e.Text
	case alerting.EventAgain:
		return "fires again as a " + e.Text
	case alerting.EventAcknowledged:
		return e.By + " acknowledged the " + e.Text
	case alerting.EventSilenced:
		return e.By + " silenced it " + e.Text
	case alerting.EventNotified:
		if e.By != "" {
			return "told " + e.By + " by " + e.Channel + ": " + e.Text
		}
		return "told " + e.Channel + ": " + e.Text
	case alerting.EventHandedOn:
		return "handed on to " + e.By + ": " + e.Text
	case alerting.EventUnrouted:
		return e.Text
	case alerting.EventResolved:
		return "resolved"
	default:
		return string(e.Kind) + " " + e.Text
	}
}

func query(ctx context.Context, conn driver.Conn, name string, p clickhouse.Parameters) (driver.Rows, error) {
	text, err := files.ReadFile("sql/" + name + ".sql")
	if err != nil {
		return nil, err
	}
	rows, err := conn.Query(clickhouse.Context(ctx, clickhouse.WithParameters(p)), string(text))
	if err != nil {
		return nil, fmt.Errorf("ask for %s: %w", name, err)
	}
	return rows, nil
}

// deploys tells of deploys, and of the data that changed with them.
func (t *Timeline) deploys(ctx context.Context, conn driver.Conn, p clickhouse.Parameters) error {
	rows, err := query(ctx, conn, "deploys", p)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	var formerData, formerJob string
	for rows.Next() {
		var at time.Time
		var deploy, stage, version, by, commit, data, job, note string
		if err := rows.Scan(&at, &deploy, &stage, &version, &by, &commit, &data, &job, &note); err != nil {
			return err
		}
		text := "deploy " + deploy + " began to serve in " + stage
		for _, part := range [][2]string{{"version", version}, {"by", by}, {"commit", commit}, {"note:", note}} {
			if part[1] != "" {
				text += ", " + part[0] + " " + part[1]
			}
		}
		t.Entries = append(t.Entries, Entry{At: at, Kind: "deploy", Text: text})
		if data != formerData && formerData != "" {
			t.Entries = append(t.Entries, Entry{At: at, Kind: "data", Text: "the training set changed from " + formerData + " to " + data})
		}
		if job != formerJob && formerJob != "" {
			t.Entries = append(t.Entries, Entry{At: at, Kind: "data", Text: "the feature job changed from " + formerJob + " to " + job})
		}
		formerData, formerJob = data, job
	}
	return rows.Err()
}

// found tells what analyzers found in breach.
func (t *Timeline) found(ctx context.Context, conn driver.Conn, p clickhouse.Parameters) error {
	rows, err := query(ctx, conn, "found", p)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		var feature, signal, reference, measure, slo, window string
		var first, last time.Time
		var value float64
		var times uint64
		if err := rows.Scan(&feature, &signal, &reference, &measure, &slo, &window, &first, &last, &value, &times); err != nil {
			return err
		}
		text := signal
		if slo != "" {
			text += " of " + slo + " over " + window
		}
		if feature != "" {
			text += " of " + feature
		}
		text += fmt.Sprintf(" in breach: %s %.3g", measure, value)
		if reference != "" {
			text += " against " + reference
		}
		if times > 1 {
			text += fmt.Sprintf(" (%d times until %s)", times, last.UTC().Format("15:04"))
		}
		t.Entries = append(t.Entries, Entry{At: first, Kind: signal, Text: text})
	}
	return rows.Err()
}

func (t *Timeline) notices(ctx context.Context, conn driver.Conn, p clickhouse.Parameters) error {
	rows, err := query(ctx, conn, "notices", p)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		var at time.Time
		var kind, deploy, object, text string
		if err := rows.Scan(&at, &kind, &deploy, &object, &text); err != nil {
			return err
		}
		if object != "" {
			kind += " " + object
		}
		t.Entries = append(t.Entries, Entry{At: at, Kind: "service", Text: kind + ": " + text})
	}
	return rows.Err()
}

func (t *Timeline) related(ctx context.Context, conn driver.Conn, p clickhouse.Parameters) error {
	rows, err := query(ctx, conn, "related", p)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // rows.Err tells
	for rows.Next() {
		var r Row
		if err := rows.Scan(&r.Incident, &r.Model, &r.Deploy, &r.SLO, &r.Name, &r.Severity, &r.Opened, &r.Resolved); err != nil {
			return err
		}
		if r.Resolved.UnixMilli() == 0 {
			r.Resolved = time.Time{}
		}
		t.Related = append(t.Related, Related{Incident: r.Incident, About: r.About(), Severity: r.Severity, Opened: r.Opened, Resolved: r.Resolved})
	}
	return rows.Err()
}
