package ledger

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"strconv"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/incidents.sql
var incidentsSQL string

//go:embed sql/contradiction.sql
var contradictionSQL string

//go:embed sql/promise.sql
var promiseSQL string

//go:embed sql/errors.sql
var errorsSQL string

//go:embed sql/claim.sql
var claimSQL string

//go:embed sql/parts.sql
var partsSQL string

//go:embed sql/drift.sql
var driftSQL string

//go:embed sql/cells.sql
var cellsSQL string

//go:embed sql/deployments.sql
var deploymentsSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader reads alarms and what became of them.
type Reader struct{ Conn Querier }

// each runs a query and hands every row to scan.
func (r Reader) each(ctx context.Context, what, query string, args []any, scan func(driver.Rows) error) error {
	rows, err := r.Conn.Query(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return fmt.Errorf("read %s: %w", what, err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read %s: %w", what, err)
	}
	return nil
}

// Incidents returns the incidents of objectives and of suspected concept drift that
// opened since a time. What kind of alarm one of an objective is follows from that,
// which the caller knows; what it claims, Claim says.
func (r Reader) Incidents(ctx context.Context, since time.Time) ([]Alarm, error) {
	var all []Alarm
	args := []any{clickhouse.Named("since", since.Unix()), clickhouse.Named("concept", plumbline.AlertConceptDrift)}
	err := r.each(ctx, "incidents", incidentsSQL, args, func(rows driver.Rows) error {
		var id, model, deploy, slo, severity string
		var opened, resolved time.Time
		if err := rows.Scan(&id, &model, &deploy, &slo, &severity, &opened, &resolved); err != nil {
			return err
		}
		a := Alarm{
			ID: id, Model: plumbline.Model(model), Deploy: plumbline.DeployHash(deploy), SLO: plumbline.SLOName(slo),
			Signal: plumbline.SignalBurn, Severity: severity, Opened: opened.UTC(), To: opened.UTC(), From: opened.UTC().Add(-time.Hour),
			Claim: "the hour before it opened",
		}
		if slo == "" {
			a.Kind, a.Signal = KindConcept, plumbline.SignalConceptDrift
		}
		if resolved.Unix() > 0 {
			a.Closed = resolved.UTC()
		}
		all = append(all, a)
		return nil
	})
	return all, err
}

// Claim looks up what an incident stood on: it claims what the windows in breach say;
// where findings of them are gone, the hour before it opened. One of suspected concept
// drift then claims nothing.
func (r Reader) Claim(ctx context.Context, a *Alarm) error {
	if a.Kind == KindConcept {
		return r.contradiction(ctx, a)
	}
	if err := r.windows(ctx, a); err != nil {
		return err
	}
	if a.Kind == KindDrift {
		a.Claim = fmt.Sprintf("objective %s, %s: %s", a.SLO, a.Stream.claim(), a.Claim)
	}
	return nil
}

// Burnt returns the part that made up most of what the incident of a composite stood
// on; none where findings of it are gone.
func (r Reader) Burnt(ctx context.Context, a Alarm) (most plumbline.SLOName, err error) {
	err = r.each(ctx, "parts of incident "+a.ID, partsSQL, a.stood(), func(rows driver.Rows) error {
		var (
			part string
			bad  float64
		)
		if err := rows.Scan(&part, &bad); err != nil {
			return err
		}
		if most == "" {
			most = plumbline.SLOName(part)
		}
		return nil
	})
	return most, err
}

// stood are the parameters by which findings that an incident stood on are found.
func (a Alarm) stood() []any {
	return []any{
		clickhouse.Named("model", string(a.Model)), clickhouse.Named("slo", string(a.SLO)), clickhouse.Named("deploy", string(a.Deploy)),
		clickhouse.Named("opened", a.Opened.Unix()),
	}
}

func (r Reader) windows(ctx context.Context, a *Alarm) error {
	var from, to time.Time
	err := r.each(ctx, "what incident "+a.ID+" stood on", claimSQL, a.stood(), func(rows driver.Rows) error {
		var window string
		var end time.Time
		if err := rows.Scan(&window, &end); err != nil {
			return err
		}
		length, err := windowLength(window)
		if err != nil {
			return err
		}
		// The longest window in breach, at its latest: the others lie within.
		if end = end.UTC(); from.IsZero() || end.Add(-length).Before(from) {
			from = end.Add(-length)
		}
		if end.After(to) {
			to = end
		}
		return nil
	})
	if err != nil || from.IsZero() {
		return err
	}
	a.From, a.To = from.Truncate(time.Minute), to.Truncate(time.Minute)
	a.Claim = fmt.Sprintf("bad share over its threshold in the %s before %s", plumbline.WindowName(a.To.Sub(a.From)), a.To.Format(time.RFC3339))
	return nil
}

// windowLength is the length that plumbline.WindowName spells.
func windowLength(name string) (time.Duration, error) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	if name == "" || units[name[len(name)-1]] == 0 {
		return 0, fmt.Errorf("%q is no window", name)
	}
	n, err := strconv.ParseInt(name[:len(name)-1], 10, 32)
	if err != nil || n <= 0 {
		return 0, fmt.Errorf("%q is no window", name)
	}
	return time.Duration(n) * units[name[len(name)-1]], nil
}

// ReadBefore is how long before what is wanted alarms are read: days, so that the opening of
// a ticket is among them, and alarms, so that one that goes on is.
const ReadBefore = 40 * 24 * time.Hour

// Drift returns the drift alarms that opened since a time.
func (r Reader) Drift(ctx context.Context, since time.Time) ([]Alarm, error) {
	var days []Day
	err := r.each(ctx, "drift alarms", driftSQL, []any{clickhouse.Named("since", since.Add(-ReadBefore).Unix())}, func(rows driver.Rows) error {
		var model, segment, feature, reference, measure, deploy string
		var d Day
		if err := rows.Scan(&model, &segment, &feature, &reference, &measure, &d.End, &deploy, &d.Ticket, &d.Seen); err != nil {
			return err
		}
		d.Stream = Stream{plumbline.Model(model), plumbline.Segment(segment), plumbline.Feature(feature), reference, measure}
		d.Deploy, d.End, d.Seen = plumbline.DeployHash(deploy), d.End.UTC(), d.Seen.UTC()
		days = append(days, d)
		return nil
	})
	return Drifts(days, since), err
}

// Labels returns what became known of the window that an alarm claims something
// of, and the number of its predictions.
func (r Reader) Labels(ctx context.Context, a Alarm) (cells []Cell, requests int64, err error) {
	deploy := a.Deploy
	if a.Signal == plumbline.SignalDriftAlarm {
		deploy = "" // its days are compared over all deploys
	}
	args := []any{
		clickhouse.Named("model", string(a.Model)), clickhouse.Named("segment", string(a.Segment)), clickhouse.Named("deploy", string(deploy)),
		clickhouse.Named("from", a.From.Unix()), clickhouse.Named("to", a.To.Unix()),
	}
	query := cellsSQL
	if a.Promise.Measure == MeanError {
		query = errorsSQL
	}
	err = r.each(ctx, "labels of alarm "+a.ID, query, args, func(rows driver.Rows) error {
		var c Cell
		var n int64
		if err := rows.Scan(&c.Known, &c.Labelled, &c.Correct, &c.Rows, &c.Loss, &c.Squares, &n); err != nil {
			return err
		}
		requests += n
		if c.Known = c.Known.UTC(); c.Known.Unix() > 0 {
			cells = append(cells, c)
		}
		return nil
	})
	return cells, requests, err
}

// Deployments returns what began to serve production of a model, in its order.
func (r Reader) Deployments(ctx context.Context, model plumbline.Model) (all []Deployment, err error) {
	err = r.each(ctx, "deployments", deploymentsSQL, []any{clickhouse.Named("model", string(model))}, func(rows driver.Rows) error {
		var deploy string
		var d Deployment
		if err := rows.Scan(&deploy, &d.At); err != nil {
			return err
		}
		d.Deploy, d.At = plumbline.DeployHash(deploy), d.At.UTC()
		all = append(all, d)
		return nil
	})
	return all, err
}
