package ask

import (
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/cause"
	"github.com/plumbline-slo/plumbline/analyze/quality/fairness"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Answer says how good a model was.
type Answer struct {
	Model   plumbline.Model
	Deploys []plumbline.DeployHash
	Stage   plumbline.Stage
	Segment plumbline.Segment
	// From and To are the window in whole minutes, To exclusive.
	From, To time.Time
	// AsOf is before when labels had become known; zero is now.
	AsOf time.Time
	// Task and Positive are what the answers were taken for.
	Task     Task
	Positive string
	By       Grouping
	// Parts are one for each deploy, hour or segment asked by, in order, and one
	// otherwise.
	Parts []Part
	// Fairness are the gaps between protected segments; nil unless asked for.
	Fairness []Gaps
	// Why takes the change apart; nil unless asked for.
	Why *Why
	// Notes say what the numbers rest on, and what could not be said.
	Notes []string
	// Unjoined counts labels, of this or another model, that are stored and wait to be
	// joined. Only Reply asks for them.
	Unjoined uint64
}

// Part is the predictions of one deploy, hour or segment, or all of them.
type Part struct {
	// Name is empty for all.
	Name string
	// Requests counts deliveries of the window, Labelled distinct predictions
	// whose label is in: each as often as its weight says. Rows is what Labelled
	// was counted from, fewer where the producer samples.
	Requests, Labelled, Rows int64
	// Values are the metrics in the order asked for.
	Values []Value
	// Matrix counts labelled requests by true and predicted class; nil without
	// classes.
	Matrix []Count
}

// LabelledShare is the share of the requests whose label is in, between 0 and 1;
// NaN without requests. It is the window's maturity as far as labels ever come.
func (p Part) LabelledShare() float64 { return share(p.Labelled, p.Requests) }

// Value is a metric with what belongs to it.
type Value struct {
	metric.Value
	// Unit is what a value of 1 is one of, Good the direction that is good; empty
	// for a custom metric.
	Unit string
	Good metric.Direction
	// Bound is how far Value may be from that of the raw scores, where they were
	// counted in buckets; 0 if it is exact.
	Bound float64
}

// Count is one cell of a confusion matrix.
type Count struct {
	Label     string `json:"label"`
	Predicted string `json:"predicted"`
	Count     int64  `json:"count"`
}

// Gaps are the criteria of fairness between the values of one protected segment.
type Gaps struct {
	Segment string
	// Reference is the group that the others are compared with.
	Reference string
	Gaps      []fairness.Gap
	// Missing says why there is nothing to compare; empty if there is.
	Missing string
}

// Why is a change taken apart.
type Why struct {
	// Metric is the mean that changed, From and To the window before.
	Metric   metric.ID
	From, To time.Time
	Deploys  []plumbline.DeployHash
	// Ways are the ways of dividing the predictions, first the one whose pieces
	// differ most in what they add. The pieces of each sum to the change.
	Ways []Way
	// Missing says why there is no change to take apart; empty if there is.
	Missing string
}

// Way is one way of dividing: deploy, segment NAME, or feature NAME.
type Way struct {
	By string
	// Spread is how unevenly the pieces carry the change: half the sum of the
	// distances from what each would add if the change were the same everywhere,
	// each less its standard error where the metric counts hits.
	Spread float64
	cause.Decomposition
}
