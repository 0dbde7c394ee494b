package analyze

import (
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
)

//go:embed sql/propensities.sql
var propensitiesSQL string

// ModelConfig is what an owner declares of a model for its estimates.
type ModelConfig struct {
	Estimate EstimateModel
	Feedback Feedback
	// Task is what the model answers; empty takes it from the classes that it predicts.
	Task qualityask.Task
	// Positive is the class that the score of a binary model is about; empty takes
	// the one whose predictions have the higher scores.
	Positive string
}

// answers returns what a model answers that predicted these classes, and which
// classes there are. A binary model that has called everything negative for weeks is
// one all the same: its score is still about the other class.
func (m ModelConfig) answers(classes []string) (forecast.Task, []string) {
	switch {
	case m.Task == qualityask.Regression:
		return forecast.Regression, nil
	case m.Task == qualityask.Multiclass:
		return forecast.Classes, classes
	case m.Task == qualityask.Binary && len(classes) == 1 && m.Positive != "" && classes[0] != m.Positive:
		classes = slices.Sorted(slices.Values([]string{classes[0], m.Positive}))
	}
	return forecast.TaskOf(classes), classes
}

// estimated reports whether anything is estimated of the model: of what a ranking is
// worth its scores say nothing.
func (m ModelConfig) estimated() bool { return m.Task != qualityask.Ranking }

// arrival says how the labels that are in were chosen.
func (m ModelConfig) arrival() estimate.Arrival {
	if m.Feedback.Kind == FeedbackRandom {
		return estimate.Random
	}
	return estimate.Delayed
}

// EstimateModel says how a model is estimated before its labels are in.
type EstimateModel struct {
	// Strata is what drives the delay of labels: none, score, predicted,
	// number:FEATURE, category:FEATURE or segment:NAME, and cuts or values by
	// commas after another colon. Default: chosen by evidence.
	Strata string `yaml:"strata"`
}

// The kinds of feedback.
const (
	FeedbackFull    = "full"
	FeedbackPartial = "partial"
	FeedbackRandom  = "random"
)

// Feedback says which predictions of a model ever get a label.
type Feedback struct {
	// Kind is full, partial where the model's own decision takes the label away
	// (only accepted loans are repaid or not), or random where people label a simple
	// random sample of the predictions, soon after they are made. Default full.
	Kind string `yaml:"kind"`
	// Exploration is the share, in (0, 1], of the other predictions that is let
	// through at random and so gets a label all the same. Accepted is the
	// predicted class that always gets one: a regression has none, and logs its
	// propensities instead.
	Exploration float64 `yaml:"exploration"`
	Accepted    string  `yaml:"accepted"`
	// Propensity is logged where events carry the chance of a label in their
	// field propensity.
	Propensity string `yaml:"propensity"`
}

// Partial reports whether the model itself decides which predictions get a label.
func (f Feedback) Partial() bool { return f.Kind == FeedbackPartial }

// propensityLogged is the one value of Feedback.Propensity.
const propensityLogged = "logged"

// Validate returns every mistake, by field.
func (m ModelConfig) Validate() error {
	var errs []error
	if m.Estimate.Strata != "" {
		if _, err := history.ParseStrata(m.Estimate.Strata); err != nil {
			errs = append(errs, fmt.Errorf("estimate.strata: %w", err))
		}
	}
	f := m.Feedback
	if f.Kind != "" && f.Kind != FeedbackFull && f.Kind != FeedbackPartial && f.Kind != FeedbackRandom {
		errs = append(errs, fmt.Errorf("feedback.kind: %q is none of full, partial and random", f.Kind))
	}
	if !f.Partial() && (f.Exploration != 0 || f.Accepted != "" || f.Propensity != "") {
		errs = append(errs, errors.New("feedback.kind: exploration, accepted and propensity mean something only where it is partial"))
	}
	if !(f.Exploration >= 0 && f.Exploration <= 1) {
		errs = append(errs, fmt.Errorf("feedback.exploration: %v is not between 0 and 1", f.Exploration))
	}
	if (f.Exploration > 0) != (f.Accepted != "") {
		errs = append(errs, errors.New("feedback.accepted: exploration and the class that always gets a label are declared together"))
	}
	if f.Exploration > 0 && m.Task == qualityask.Regression {
		errs = append(errs, errors.New("feedback.exploration: it is declared beside an accepted class, which a regression does not have; let its events bear their propensity"))
	}
	if f.Propensity != "" && f.Propensity != propensityLogged {
		errs = append(errs, fmt.Errorf("feedback.propensity: %q is not %s", f.Propensity, propensityLogged))
	}
	if f.Propensity != "" && f.Exploration > 0 {
		errs = append(errs, errors.New("feedback.propensity: logged propensities and a share of exploration are two ways, declare one"))
	}
	return errors.Join(errs...)
}

// explored returns the labels of a window with their chances; false where none are
// declared.
func (l *forecasts) explored(ctx context.Context, f *forecastOf, feedback Feedback, counts forecast.Counts, q forecast.Question, at time.Time) ([]estimate.Explored, bool, error) {
	switch {
	case feedback.Exploration > 0 && f.task == forecast.Binary:
		var labels []estimate.Explored
		for class, c := range counts.Classes {
			p := feedback.Exploration
			if class == feedback.Accepted {
				p = 1
			}
			labels = append(labels, explored(p, c.Hits(), c.Wrong())...)
		}
		return labels, true, nil
	case feedback.Exploration > 0 && f.task == forecast.Classes, feedback.Propensity != "":
		labels, err := l.logged(ctx, f, feedback, q, at)
		return labels, err == nil, err
	}
	return nil, false, nil
}

func explored(propensity float64, correct, wrong estimate.Tally) []estimate.Explored {
	var out []estimate.Explored
	if correct.Count > 0 {
		out = append(out, estimate.Explored{Propensity: propensity, Actual: 1, Count: correct.Count, Weight: correct.Weight})
	}
	if wrong.Count > 0 {
		out = append(out, estimate.Explored{Propensity: propensity, Actual: 0, Count: wrong.Count, Weight: wrong.Weight})
	}
	return out
}

// logged reads the labels of a window with the propensities that the events bore, or
// that exploration gives the classes of a model of several, which what is counted by
// hour does not keep apart: who was right, or of a regression by how much it was wrong.
// It reads raw rows, which no page rests on.
func (l *forecasts) logged(ctx context.Context, f *forecastOf, feedback Feedback, q forecast.Question, at time.Time) ([]estimate.Explored, error) {
	model, errs := f.scope.Model, uint8(0)
	if f.task == forecast.Regression {
		errs = 1
	}
	rows, err := l.conn.Query(ctx, propensitiesSQL, clickhouse.Named("model", string(model)), clickhouse.Named("deploy", string(q.Deploy)),
		clickhouse.Named("from", q.End.Add(-q.Window).Unix()), clickhouse.Named("to", q.End.Unix()), clickhouse.Named("at", at.Unix()), clickhouse.Named("errors", errs),
		clickhouse.Named("share", feedback.Exploration), clickhouse.Named("accepted", feedback.Accepted))
	if err != nil {
		return nil, fmt.Errorf("read propensities of model %q: %w", model, err)
	}
	defer rows.Close()
	var labels []estimate.Explored
	for rows.Next() {
		var (
			alike estimate.Explored
			times float64
		)
		if err := rows.Scan(&alike.Propensity, &times, &alike.Count, &alike.Actual, &alike.Scatter); err != nil {
			return nil, fmt.Errorf("read propensities of model %q: %w", model, err)
		}
		n := float64(alike.Count)
		alike.Weight = estimate.Weight{Requests: n * times, Squares: n * times * times}
		labels = append(labels, alike)
	}
	return labels, rows.Err()
}
