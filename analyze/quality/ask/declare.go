package ask

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Task says what a model's answers are.
type Task string

// The tasks.
const (
	Binary     Task = "binary"
	Multiclass Task = "multiclass"
	Regression Task = "regression"
	Ranking    Task = "ranking"
)

// Tasks returns every task.
func Tasks() []Task { return []Task{Binary, Multiclass, Regression, Ranking} }

// Declaration says what a model's predictions and labels mean: models[].quality
// in the configuration. The zero value leaves all to be guessed from the labels:
// classes make a multi-class model, numbers a regression.
type Declaration struct {
	// Task is binary, multiclass, regression or ranking.
	Task Task `yaml:"task"`
	// Positive is the class that a binary model looks for. Its score is taken as
	// the probability of that class.
	Positive string `yaml:"positive"`
	// Metrics are written as findings of the signal quality, and are what a
	// question that names none gets. Default: every metric of the task, and none
	// as findings.
	Metrics []metric.ID `yaml:"metrics"`
	// Values says what one prediction is worth; what is not named is worth 0.
	Values []Worth `yaml:"values"`
	// Protected are the segments that fairness compares.
	Protected []Protected `yaml:"protected"`
	// K is how many of the best answers count for top-k and rankings. Default 5.
	K int `yaml:"k"`
	// Quantile is what a regression predicts, for the pinball loss, in (0, 1).
	// Default 0.5, the median.
	Quantile float64 `yaml:"quantile"`
	// ClassScores is how the names of the numeric features begin that hold the
	// scores of the classes, for top-k, areas, losses and calibration: "p_" if there
	// are p_cat and p_dog.
	ClassScores string `yaml:"class_scores"`
	// Partial says that the model's own decision takes labels away, so that no
	// number can rest on those that come. It follows from models[].feedback.
	Partial bool `yaml:"-"`
	// Query is the category that predictions of one ranked list share. Default:
	// what stands before the last / of their prediction_id.
	Query string `yaml:"query"`
	// Custom are metrics of the owner's own.
	Custom []Custom `yaml:"custom"`
}

// Worth is what one prediction of a kind is worth, in a unit of the owner's
// choice; costs are negative.
type Worth struct {
	Predicted string  `yaml:"predicted"`
	Label     string  `yaml:"label"`
	Value     float64 `yaml:"value"`
}

// Protected is a declared segment whose values are compared.
type Protected struct {
	// Segment is the name of the segment.
	Segment string `yaml:"segment"`
	// Reference is the value that the others are compared with. Default: the one
	// with most predictions.
	Reference string `yaml:"reference"`
}

// Custom is a metric by an SQL expression, see Expression.
type Custom struct {
	Name string `yaml:"name"`
	SQL  string `yaml:"sql"`
}

const (
	defaultK        = 5
	defaultQuantile = 0.5
	mostCustom      = 20
)

// names of custom metrics are names of measures.
var customName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// Validate returns every mistake, by field. segments are the names of the
// segments that the model declares.
func (d Declaration) Validate(segments ...string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	known := d.Task == "" || slices.Contains(Tasks(), d.Task)
	if !known {
		bad("quality.task: %q is no task: write one of %v", d.Task, Tasks())
	}
	if d.Task == Binary && d.Positive == "" {
		bad("quality.positive: empty; a binary model needs the class that it looks for")
	}
	if d.Positive != "" && d.Task != Binary && d.Task != Ranking {
		bad("quality.positive: %q, but quality.task is %q; write task: binary", d.Positive, d.Task)
	}
	for i, id := range d.Metrics {
		if known && !d.has(id) {
			bad("quality.metrics[%d]: %q is no metric of this model: write one of %s", i, id, strings.Join(d.names(), ", "))
		}
	}
	if d.K < 0 || d.K > 1000 {
		bad("quality.k: %d is not between 1 and 1000", d.K)
	}
	if d.Quantile != 0 && !(d.Quantile > 0 && d.Quantile < 1) {
		bad("quality.quantile: %v is not between 0 and 1", d.Quantile)
	}
	return errors.Join(append(errs, d.validateLists(segments)...)...)
}

func (d Declaration) validateLists(segments []string) []error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	seen := map[[2]string]bool{}
	for i, w := range d.Values {
		if math.IsNaN(w.Value) || math.IsInf(w.Value, 0) {
			bad("quality.values[%d].value: %v is no number", i, w.Value)
		}
		if key := [2]string{w.Predicted, w.Label}; seen[key] {
			bad("quality.values[%d]: predicted %q and label %q stand twice", i, w.Predicted, w.Label)
		} else {
			seen[key] = true
		}
	}
	if others := d.negatives(); d.Task == Binary && len(others) > 1 {
		bad("quality.values: %s are several classes beside the positive one, %q, but a binary model has one other; correct the name", listed(others), d.Positive)
	}
	if len(d.Protected) > 0 && d.Task != Binary {
		bad("quality.protected: fairness compares a binary model's answers; write task: binary and positive")
	}
	for i, p := range d.Protected {
		if !slices.Contains(segments, p.Segment) {
			bad("quality.protected[%d].segment: %q is no segment of this model; declare it under segments with its values", i, p.Segment)
		}
	}
	if len(d.Custom) > mostCustom {
		bad("quality.custom: %d metrics, at most %d", len(d.Custom), mostCustom)
	}
	names := map[string]bool{}
	for i, c := range d.Custom {
		switch _, known := metric.Lookup(metric.ID(c.Name)); {
		case !customName.MatchString(c.Name):
			bad("quality.custom[%d].name: %q is no name: lower-case letters, digits and _, 1 to 64", i, c.Name)
		case known || names[c.Name]:
			bad("quality.custom[%d].name: %q is taken", i, c.Name)
		}
		names[c.Name] = true
		if _, err := ParseExpression(c.SQL); err != nil {
			bad("quality.custom[%d].sql: %w", i, err)
		}
	}
	return errs
}

// negatives are the classes that values are declared of beside the positive one.
func (d Declaration) negatives() []string {
	others := vocabulary{}
	for _, w := range d.Values {
		others[w.Predicted], others[w.Label] = true, true
	}
	delete(others, d.Positive)
	return slices.Sorted(maps.Keys(others))
}

// with returns the declaration with what a question says of its own, and with
// the defaults.
func (d Declaration) with(o Declaration) Declaration {
	if o.Task != "" {
		d.Task = o.Task
	}
	if o.Positive != "" {
		d.Positive = o.Positive
		if o.Task == "" && d.Task != Ranking {
			d.Task = Binary
		}
	}
	if o.K != 0 {
		d.K = o.K
	}
	if o.Quantile != 0 {
		d.Quantile = o.Quantile
	}
	if d.K == 0 {
		d.K = defaultK
	}
	if d.Quantile == 0 {
		d.Quantile = defaultQuantile
	}
	return d
}

// metrics returns the metrics of the task.
func (d Declaration) metrics() []metric.ID {
	var ids []metric.ID
	switch d.Task {
	case Binary:
		ids = []metric.ID{metric.Accuracy, metric.Precision, metric.Recall, metric.Specificity, metric.F1, metric.MCC,
			metric.ROCAUC, metric.PRAUC, metric.LogLoss, metric.Brier, metric.ECE}
	case Multiclass:
		ids = []metric.ID{metric.Accuracy, metric.MacroPrecision, metric.MacroRecall, metric.MacroF1, metric.MultiMCC}
		if d.ClassScores != "" {
			ids = append(append(ids, metric.TopK), scoredIDs()...)
		}
	case Regression:
		ids = []metric.ID{metric.MAE, metric.RMSE, metric.MAPE, metric.Bias, metric.R2, metric.Pinball}
	case Ranking:
		return []metric.ID{metric.NDCG, metric.MAP, metric.MRR, metric.HitRate}
	}
	if len(d.Values) > 0 && d.Task != Regression {
		ids = append(ids, metric.BusinessValue)
	}
	return ids
}

// has reports whether the model has a metric, custom ones included; a model
// without a task may have any.
func (d Declaration) has(id metric.ID) bool {
	if d.custom(id) != nil || slices.Contains(d.metrics(), id) {
		return true
	}
	_, known := metric.Lookup(id)
	return known && d.Task == ""
}

func (d Declaration) custom(id metric.ID) *Custom {
	for i, c := range d.Custom {
		if metric.ID(c.Name) == id {
			return &d.Custom[i]
		}
	}
	return nil
}

// names returns the metrics that the model has, for a message.
func (d Declaration) names() []string {
	var names []string
	for _, id := range d.metrics() {
		names = append(names, string(id))
	}
	if d.Task == "" {
		for _, def := range metric.Table() {
			names = append(names, string(def.ID))
		}
	}
	for _, c := range d.Custom {
		names = append(names, c.Name)
	}
	return names
}
