package analyze

import (
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/ask"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// What the numbers rest on.
const (
	assumesShift = "hours of the window against every training row of the model; breach is judged on the part beyond the same hours before the deploy"
	assumesClock = "; a breach is one against the same hours before, too, where there was traffic"
)

// driftLook says what a look at drift asks and remembers when it was asked. It
// belongs to the one goroutine that steps.
type driftLook struct {
	cfg        Config
	asker      *ask.Asker
	conn       querier
	references []ask.Reference
	measures   []measure.ID
	looked     map[plumbline.Model]attempt
	segments   map[plumbline.Model]time.Time
}

func newDriftLook(cfg Config, asker *ask.Asker, conn querier) (*driftLook, error) {
	references, err := cfg.references()
	if err != nil {
		return nil, err
	}
	return &driftLook{
		cfg: cfg, asker: asker, conn: conn, references: references, measures: cfg.Measures.all(),
		looked: map[plumbline.Model]attempt{}, segments: map[plumbline.Model]time.Time{},
	}, nil
}

// all returns every measure of either kind, and the one that stands in for a
// Wasserstein distance where numbers are counted by their odds.
func (m Measures) all() []measure.ID {
	ids := slices.Concat(m.Numbers, m.Categories)
	if len(onGrid(m.Numbers)) > 0 {
		ids = append(ids, measure.KS)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// lookDrift compares every deploy that served within the window, and its
// segments.
func (r *Runner) lookDrift(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	if last := r.driftLook.looked[t.model]; last.stands(now, r.cfg.DriftInterval) {
		return nil, last.err
	}
	findings, err := r.compareDeploys(ctx, t, now)
	r.driftLook.looked[t.model] = attempt{now, err}
	return findings, err
}

func (r *Runner) compareDeploys(ctx context.Context, t traffic, now time.Time) ([]Finding, error) {
	reference, err := r.driftLook.asker.Window(ctx, []drift.Query{drift.Training(t.model)})
	if err != nil {
		return nil, fmt.Errorf("drift: %w", err)
	}
	withSegments := now.Sub(r.driftLook.segments[t.model]) >= r.cfg.SegmentInterval
	var (
		findings []Finding
		errs     []error
	)
	for _, window := range r.cfg.DriftWindows {
		for _, d := range t.deploys {
			if !d.served(t.end, window) {
				continue
			}
			found, err := r.driftOf(ctx, reference, t, d, window, withSegments)
			findings = append(findings, found...)
			if err != nil {
				errs = append(errs, fmt.Errorf("drift: %w", err))
			}
		}
	}
	if len(errs) == 0 && withSegments {
		r.driftLook.segments[t.model] = now
	}
	return findings, errors.Join(errs...)
}

// driftOf compares one deploy in one window.
func (r *Runner) driftOf(ctx context.Context, reference drift.Window, t traffic, d deploy, window time.Duration, withSegments bool) ([]Finding, error) {
	m, err := r.measured(ctx, reference, t, d, window)
	if err != nil {
		return nil, err
	}
	c := comparison{cfg: r.cfg, traffic: t, deploy: d, window: window, measured: &m}
	if d.stage == plumbline.StageProduction && window == day {
		// What was learnt is of days of production.
		c.dispersion = func(segment plumbline.Segment, row ask.Row) float64 {
			return r.alarms.dispersionOf(t.model, segment, row)
		}
	}
	findings := c.shiftFindings(m.shifts(r.cfg.driftOptions()))
	// What else is compared counts the whole hours of the deploy: those that it
	// served in part differ from the same hours before for no other reason.
	s, ok := spanOf(t, d, window).wholeHours(d)
	if !ok {
		return findings, nil
	}
	q := ask.Question{
		Model: t.model, Deploys: []plumbline.DeployHash{d.hash}, Stage: d.stage, From: s.from, To: s.to,
		References: r.driftLook.references, Measures: r.driftLook.measures, Options: r.cfg.distances(),
	}
	answer, err := r.driftLook.asker.Ask(ctx, q)
	if err != nil {
		return findings, err
	}
	findings = append(findings, c.findings(answer)...)
	if !withSegments {
		return findings, nil
	}
	segments, err := r.driftLook.segmentsOf(ctx, q)
	if err != nil {
		return findings, err
	}
	// What is usual was read of all traffic.
	c.measured = nil
	for _, segment := range segments {
		q.Segment = segment
		if answer, err = r.driftLook.asker.Ask(ctx, q); err != nil {
			return findings, err
		}
		findings = append(findings, c.findings(answer)...)
	}
	return findings, nil
}

//go:embed sql/segments.sql
var segmentsSQL string

// segmentsOf returns the segments with most requests in the window of a
// question, at most as many as are looked at.
func (w *driftLook) segmentsOf(ctx context.Context, q ask.Question) ([]plumbline.Segment, error) {
	if w.cfg.Segments == 0 {
		return nil, nil
	}
	deploys := make([]string, len(q.Deploys))
	for i, d := range q.Deploys {
		deploys[i] = string(d)
	}
	rows, err := w.conn.Query(ctx, segmentsSQL, clickhouse.Named("model", string(q.Model)), clickhouse.Named("deploys", deploys),
		clickhouse.Named("stage", string(q.Stage)), clickhouse.Named("from", q.From.Unix()), clickhouse.Named("to", q.To.Unix()), clickhouse.Named("most", w.cfg.Segments))
	if err != nil {
		return nil, fmt.Errorf("read segments of model %q: %w", q.Model, err)
	}
	defer rows.Close()
	var segments []plumbline.Segment
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, fmt.Errorf("read segments of model %q: %w", q.Model, err)
		}
		segments = append(segments, plumbline.Segment(name))
	}
	return segments, rows.Err()
}
