package app

import (
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
	"github.com/plumbline-slo/plumbline/analyze"
	"github.com/plumbline-slo/plumbline/analyze/burn/budget"
	"github.com/plumbline-slo/plumbline/analyze/quality"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

//go:embed burnwindows.sql
var burnWindowsSQL string

//go:embed uncounted.sql
var uncountedSQL string

// explainer tells alerting what the analyzers know of a deploy.
type explainer struct {
	runner *analyze.Runner
	base   string // external URL
	stored <-chan struct{}
	// conn and asker take a drop of quality apart; nil leaves that out.
	conn  driver.Conn
	asker *qualityask.Asker
	// slos are the declared ones by name.
	slos map[plumbline.SLOName]plumbline.SLO
}

// Explain implements alerting.Explainer.
func (x explainer) Explain(ctx context.Context, about alerting.Question) (alerting.Explanation, error) {
	select {
	case <-x.stored:
	case <-ctx.Done():
		return alerting.Explanation{}, errors.New("ClickHouse does not answer yet")
	}
	e, lost, err := x.ask(ctx, about)
	if err != nil {
		return alerting.Explanation{}, err
	}
	out := alerting.Explanation{
		SQL: e.SQL, PageURL: pageOf(x.base, about.Model), Carriers: e.Why.Carriers(),
		Deploy: alerting.DeployInfo{
			Version: e.Deployment.Version, By: e.Deployment.By, Commit: e.Deployment.Commit,
			At: e.Deployment.Time, Previous: e.Previous,
		},
	}
	for i, s := range e.Drifted {
		out.Features = append(out.Features, alerting.FeatureShift{Feature: s.Feature, PSI: s.PSI, Share: e.Share(i), Before: s.Before, After: s.After})
	}
	out.NoDrift = e.NoDrift()
	if e.After != nil {
		coverage := e.After.Coverage()
		out.Coverage = &coverage
	}
	out.Quality = qualityChange(e.Previous, e.Before, e.After)
	if x.asker != nil {
		x.add(about.SLO, lost, &out)
	}
	return out, nil
}

// ask asks at once, since a page waits for it, what is known of the deploy and what
// the SLO lost. Not knowing what carries the drop is said among its carriers, and costs
// nothing of the rest.
func (x explainer) ask(ctx context.Context, about alerting.Question) (e analyze.Explanation, lost alerting.Explanation, err error) {
	var both sync.WaitGroup
	if x.asker != nil {
		both.Go(func() {
			err := analyze.Recovered(func() (err error) {
				lost.Carriers, err = x.loss(ctx, about, &lost)
				return err
			})
			if err != nil {
				lost.Carriers = []string{"what carries the drop is not known: " + reasonOf(err)}
			}
		})
	}
	e, err = x.runner.Explain(ctx, about.Model, about.Deploy, about.SLO)
	both.Wait()
	return e, lost, err
}

// add enters what an SLO lost into an explanation. What carries the drop comes before
// what carries the drift: it is what the page is about.
func (x explainer) add(name plumbline.SLOName, lost alerting.Explanation, out *alerting.Explanation) {
	out.Windows, out.Unknown = lost.Windows, lost.Unknown
	if slo, declared := x.slos[name]; declared && !slo.SLI.Is(plumbline.SLIQuality) {
		// Labels have no part in what this one counts.
		out.Coverage, out.Quality = nil, lost.Quality
	} else if out.Quality == nil {
		out.Quality = lost.Quality
	}
	out.Carriers = append(lost.Carriers, out.Carriers...)
}

// reasonOf says in a page why a question went unanswered: whoever is woken has no
// use for the address that was slow.
func reasonOf(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "the answer took longer than a page may wait; ask plumbline quality --why"
	}
	return err.Error()
}

// loss fills in what the SLO's windows and its budget are, and on both sides of
// the change what it is about; it returns what carries that change.
func (x explainer) loss(ctx context.Context, about alerting.Question, out *alerting.Explanation) ([]string, error) {
	ctx, cancel := analyze.WithShare(ctx, dropTime)
	defer cancel()
	end, err := x.windows(ctx, about, out)
	slo, declared := x.slos[about.SLO]
	if err == nil && about.Now.Sub(end) > unknownAfter {
		out.Unknown, err = x.unknown(ctx, about)
	}
	if err != nil || end.IsZero() || !declared {
		return nil, err
	}
	if err := x.spent(ctx, slo, end, out); err != nil {
		return nil, err
	}
	if slo.SLI.Is(plumbline.SLIQuality) {
		return x.drop(ctx, about, end, out)
	}
	if slo.SLI.Is(plumbline.SLIComposite) {
		return x.parts(ctx, about)
	}
	carriers, err := x.counted(ctx, about, slo, end, out)
	if err != nil {
		return nil, err
	}
	return x.failing(ctx, about, slo, end, carriers), nil
}

// spent adds the bad share of the SLO's period, which its budget is counted from, to
// the windows, unless a finding says it or too little of the period was seen.
func (x explainer) spent(ctx context.Context, slo plumbline.SLO, end time.Time, out *alerting.Explanation) error {
	name := slo.PeriodName()
	if slices.ContainsFunc(out.Windows, func(w alerting.WindowShare) bool { return w.Window == name }) {
		return nil
	}
	spent, err := budget.Reader{Conn: x.conn, SLOs: x.slos}.At(ctx, slo, end)
	if err != nil || !spent.Known() {
		return err
	}
	out.Windows = append(out.Windows, alerting.WindowShare{Window: name, Bad: spent.Bad, Low: math.NaN(), High: math.NaN()})
	return nil
}

// unknown returns how the SLO's statement failed last, empty if it did not.
func (x explainer) unknown(ctx context.Context, about alerting.Question) (why string, err error) {
	row := x.conn.QueryRow(ctx, uncountedSQL, clickhouse.Named("model", string(about.Model)), clickhouse.Named("slo", string(about.SLO)),
		clickhouse.Named("begins", plumbline.AssumesUncounted),
		clickhouse.Named("since", about.Now.Add(-oldWindows).UnixMilli()), clickhouse.Named("now", about.Now.UnixMilli()))
	if err := row.Scan(&why); err != nil {
		return "", fmt.Errorf("read why nothing is known: %w", err)
	}
	return why, nil
}

// windows reads the bad shares of the SLO's windows as the rules see them, and
// returns the event time at which they end, zero if there are none.
func (x explainer) windows(ctx context.Context, about alerting.Question, out *alerting.Explanation) (end time.Time, err error) {
	rows, err := x.conn.Query(ctx, burnWindowsSQL, clickhouse.Named("model", string(about.Model)),
		clickhouse.Named("deploy", string(about.Deploy)), clickhouse.Named("slo", string(about.SLO)),
		clickhouse.Named("since", about.Now.Add(-oldWindows).UnixMilli()), clickhouse.Named("now", about.Now.UnixMilli()))
	if err != nil {
		return end, fmt.Errorf("read burn findings: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			w  = alerting.WindowShare{What: x.events(about.SLO)}
			at time.Time
		)
		if err := rows.Scan(&w.Window, &w.Bad, &w.Low, &w.High, &w.Events, &at); err != nil {
			return end, fmt.Errorf("read burn findings: %w", err)
		}
		if w.What == "" {
			w.Events = 0 // nobody could say of what
		}
		out.Windows = append(out.Windows, w)
		if at.After(end) {
			end = at
		}
	}
	return end, rows.Err()
}

// events names what an objective counts, empty where a count of it says nothing.
func (x explainer) events(name plumbline.SLOName) string {
	slo, declared := x.slos[name]
	if !declared {
		return ""
	}
	switch slo.Budgeting {
	case plumbline.Timeslices:
		return "slices of " + plumbline.WindowName(slo.SliceWindow)
	case plumbline.RatioTimeslices:
		return "" // each is bad in part
	}
	switch slo.SLI.Name() {
	case plumbline.SLIQuality:
		return "labelled predictions"
	case plumbline.SLILatency, plumbline.SLISuccess, plumbline.SLICost:
		return "requests"
	case plumbline.SLIFreshness, plumbline.SLIDrift, plumbline.SLIFairness, plumbline.SLIKPI:
		return "minutes"
	}
	return ""
}

const (
	// oldWindows is how old a burn finding may be to tell of now.
	oldWindows = time.Hour
	// unknownAfter is how old windows are by which it may be that none is known any more.
	unknownAfter = 10 * time.Minute
	// leastWindow is the least that a drop is looked for in, beforeDrop what it is
	// compared with.
	leastWindow = time.Hour
	beforeDrop  = 7 * 24 * time.Hour
	// dropTime is the share of the time left that the drop may take.
	dropTime = 0.8
)

// drop takes apart what the accuracy of all traffic lost since the week before
// the window that fires: by deploys, segments and features. It fills in the
// quality on both sides where no deploy before is known.
func (x explainer) drop(ctx context.Context, about alerting.Question, end time.Time, out *alerting.Explanation) ([]string, error) {
	from := end.Add(-max(about.Window, leastWindow))
	answer, err := x.asker.Ask(ctx, qualityask.Question{
		Model: about.Model, From: from, To: end, Metrics: []metric.ID{metric.Accuracy}, Why: &qualityask.Since{From: from.Add(-beforeDrop), To: from},
	})
	if wrong := (qualityask.ParameterError{}); errors.As(err, &wrong) {
		return nil, nil // too much to take apart for a page; the text has the rest
	}
	if err != nil {
		return nil, fmt.Errorf("take the drop of quality apart: %w", err)
	}
	if answer.Why == nil || len(answer.Why.Ways) == 0 || answer.Why.Metric != plumbline.MeasureAccuracy {
		return nil, nil
	}
	whole := answer.Why.Ways[0]
	if out.Quality == nil {
		out.Quality = &alerting.QualityChange{
			Measure: string(answer.Why.Metric), Before: whole.Before, After: whole.After, BeforeWhat: "the 7 days before", AfterWhat: "all deploys now",
		}
	}
	return dropWords(answer.Why.Ways, "accuracy", "labelled predictions"), nil
}

// qualityChange is nil unless both sides have labels.
func qualityChange(previous plumbline.DeployHash, before, after *quality.Counts) *alerting.QualityChange {
	if before == nil || after == nil {
		return nil
	}
	return &alerting.QualityChange{
		Measure: plumbline.MeasureAccuracy, Before: before.Accuracy(), After: after.Accuracy(),
		BeforeWhat: "deploy " + string(previous) + ", the 7 days before", AfterWhat: "this deploy",
	}
}
