package analyze

import (
	"context"
	_ "embed" // the statement
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"golang.org/x/sync/errgroup"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/analyze/drift/why"
	"github.com/plumbline-slo/plumbline/analyze/quality"
)

//go:embed sql/deployment.sql
var deploymentSQL string

const (
	// explainWindow is how far back an explanation looks at the deploy.
	explainWindow = day
	// beforeWindow is how far back it looks at the deploy before.
	beforeWindow = 7 * day
	// mostTakenApart is how many drifted features are taken apart, as many as a
	// page lists.
	mostTakenApart = 5
)

// Explanation is what the tables know about why a deploy fails its users.
type Explanation struct {
	Model  plumbline.Model
	Deploy plumbline.DeployHash
	// Deployment is what the deployment event said; zero if there was none.
	Deployment plumbline.Deployment
	// Previous is the deploy that served before, empty if none did.
	Previous plumbline.DeployHash
	// From and To bound what is said of the deploy, in event time, to the hour.
	From, To time.Time
	// Drifted are the features whose shift is in breach, worst first; Features
	// are all of them.
	Drifted, Features []Shift
	// Why takes the distances of the drifted features apart: values that moved,
	// segments and hours that carry them. It is about all hours of the deploy in
	// the window, what is usual included.
	Why why.Report
	// Before is the quality of the previous deploy in the seven days before this
	// one began to serve, After that of this one; nil where nothing is known.
	Before, After *quality.Counts
	// SLO is the objective that was asked about; it may be empty.
	SLO plumbline.SLOName
	// SQL is one statement that shows accuracy by hour and deploy. Names in it
	// are quoted.
	SQL string
}

// Share returns the part of the drifted features' excess that is the i-th
// one's, between 0 and 1.
func (e Explanation) Share(i int) float64 {
	var sum float64
	for _, s := range e.Drifted {
		sum += s.Excess
	}
	if i < 0 || i >= len(e.Drifted) || sum <= 0 {
		return 0
	}
	return e.Drifted[i].Excess / sum
}

// NoDrift says, as a sentence's part, why nothing is known of drift: none was
// measured of any feature. It is empty where it was of one.
func (e Explanation) NoDrift() string {
	why := "nothing was seen of it yet"
	for _, s := range e.Features {
		switch s.Verdict {
		case plumbline.VerdictInsufficient:
			why = "too few events"
		case plumbline.VerdictMissing:
			if why != "too few events" {
				why = "no reference"
			}
		default:
			return ""
		}
	}
	return why
}

// Explain puts together what belongs to one incident: which features moved,
// quality before and after, the deploy. It reads the tables as they are now,
// the training set included. An error means that something could not be read,
// never that nothing was found.
func (r *Runner) Explain(ctx context.Context, model plumbline.Model, hash plumbline.DeployHash, slo plumbline.SLOName) (Explanation, error) {
	fail := func(err error) (Explanation, error) {
		return Explanation{}, fmt.Errorf("explain deploy %q of model %q: %w", hash, model, err)
	}
	now := r.now()
	e := Explanation{Model: model, Deploy: hash, SLO: slo}
	all, err := serving(ctx, r.db.Conn(), model, now)
	if err != nil {
		return fail(err)
	}
	if e.Deployment, err = r.deployment(ctx, model, hash, now); err != nil {
		return fail(err)
	}
	if len(all) == 0 {
		return e, nil
	}
	t := all[0]
	d, ok := t.find(hash)
	if !ok {
		return e, nil
	}
	// An incident is explained where the deploy last served, not where another
	// one does now.
	if end := d.last.Add(time.Hour); end.Before(t.end) {
		t.end = end
	}
	e.From, e.To = d.first, t.end
	if from := t.end.Add(-explainWindow).Truncate(time.Hour); from.After(e.From) {
		e.From = from
	}
	// Somebody waits for it: what needs nothing of each other is asked at once. Each
	// fills in fields of its own.
	err = together(ctx,
		func(ctx context.Context) error { return r.explainDrift(ctx, &e, t, d) },
		func(ctx context.Context) error { return r.explainQuality(ctx, &e, t, d) })
	if err != nil {
		return fail(err)
	}
	if !r.cfg.Models[e.Model].Feedback.Partial() {
		e.SQL = accuracySQL(e, d.first.Add(-day))
	}
	return e, nil
}

// together asks several things at once, and ends the others at the first error.
func together(ctx context.Context, all ...func(context.Context) error) error {
	asked, within := errgroup.WithContext(ctx)
	for _, ask := range all {
		asked.Go(func() error {
			return Recovered(func() error { return ask(within) })
		})
	}
	return asked.Wait()
}

// Recovered asks in a goroutine that belongs to nobody else: there nobody could recover
// a panic, and a page goes out without an answer. It is an error like any other.
func Recovered(ask func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return ask()
}

func (r *Runner) explainDrift(ctx context.Context, e *Explanation, t traffic, d deploy) error {
	var (
		reference drift.Window
		m         measured
	)
	err := together(ctx, func(ctx context.Context) (err error) {
		reference, err = r.drift.Read(ctx, drift.Training(e.Model))
		return err
	}, func(ctx context.Context) (err error) {
		m, err = r.measured(ctx, drift.Window{}, t, d, explainWindow)
		return err
	})
	if err != nil {
		return err
	}
	m.reference = reference
	e.Features = m.shifts(r.cfg.driftOptions())
	scope := why.Scope{
		Window: spanOf(t, d, explainWindow).query(t.model, d), Current: m.current, Reference: reference, References: []drift.Query{drift.Training(e.Model)},
		Weights: map[plumbline.Series]float64{}, Measure: measure.PSI,
	}
	for _, s := range e.Features {
		if s.Verdict != plumbline.VerdictBreach {
			continue
		}
		e.Drifted = append(e.Drifted, s)
		if series := s.Feature.Series(); len(scope.Series) < mostTakenApart {
			scope.Series = append(scope.Series, series)
			scope.Weights[series] = s.Excess
		}
	}
	if len(scope.Series) == 0 {
		return nil
	}
	e.Why, err = why.Reader{Conn: r.db.Conn()}.Explain(ctx, scope)
	return err
}

func (r *Runner) explainQuality(ctx context.Context, e *Explanation, t traffic, d deploy) error {
	if r.cfg.Models[e.Model].Feedback.Partial() {
		if previous, ok := t.previous(d); ok {
			e.Previous = previous.hash
		}
		return nil // labels that the model itself chose say nothing of the others
	}
	after, err := r.counts(ctx, e.Model, d, e.From, e.To)
	if err != nil {
		return err
	}
	e.After = after
	previous, ok := t.previous(d)
	if !ok {
		return nil
	}
	e.Previous = previous.hash
	// Both may have served in the hour of the change: the deploy tells them apart.
	e.Before, err = r.counts(ctx, e.Model, previous, d.first.Add(-beforeWindow), d.first.Add(time.Hour))
	return err
}

// counts returns the quality of one deploy, nil if it has no labels there.
func (r *Runner) counts(ctx context.Context, model plumbline.Model, d deploy, from, to time.Time) (*quality.Counts, error) {
	all, err := r.quality.Read(ctx, model, from, to)
	if err != nil {
		return nil, err
	}
	for _, c := range all {
		if c.Deploy == d.hash && c.Stage == d.stage && c.Labelled > 0 {
			return &c, nil
		}
	}
	return nil, nil
}

func (r *Runner) deployment(ctx context.Context, model plumbline.Model, hash plumbline.DeployHash, now time.Time) (plumbline.Deployment, error) {
	rows, err := r.db.Conn().Query(ctx, deploymentSQL, clickhouse.Named("model", string(model)),
		clickhouse.Named("deploy", string(hash)), clickhouse.Named("now", now.UnixMilli()))
	if err != nil {
		return plumbline.Deployment{}, err
	}
	defer rows.Close()
	var d plumbline.Deployment
	for rows.Next() {
		var stage string
		if err := rows.Scan(&d.Time, &stage, &d.Version, &d.By, &d.Commit, &d.DatasetHash, &d.FeatureJob, &d.Note); err != nil {
			return plumbline.Deployment{}, err
		}
		d.Model, d.Deploy, d.Stage = model, hash, plumbline.Stage(stage)
	}
	return d, rows.Err()
}

// accuracySQL is one statement for a person to paste.
func accuracySQL(e Explanation, from time.Time) string {
	return "SELECT toStartOfHour(time) AS hour, deploy_hash, sum(correct) / sum(labelled) AS accuracy, sum(labelled) AS labels" +
		" FROM outcome_cells FINAL" +
		" WHERE model = " + literal(string(e.Model)) + " AND stage = 'production' AND segment = ''" +
		" AND time >= toDateTime('" + from.UTC().Format(time.DateTime) + "', 'UTC')" +
		" GROUP BY hour, deploy_hash HAVING labels > 0 ORDER BY hour, deploy_hash"
}

// literal is the one place where a name enters the text of a statement.
func literal(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\x00", `\0`).Replace(s) + "'"
}
