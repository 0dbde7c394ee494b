package plumbline

import "strings"

// Model names a served model, for example "flight-delay". Producers choose it,
// so it reaches SQL, YAML, Grafana and Slack only as a parameter or quoted.
type Model string

// DeployHash identifies one deployed build of a model: what a rollback goes
// back to. It is whatever the producer's pipeline calls a deploy, usually a git
// or image hash.
type DeployHash string

// Stage says what a prediction was made for.
type Stage string

// The stages. Quality, drift and budgets of the service itself read
// StageProduction; StageTraining is the reference that drift is measured
// against.
const (
	StageProduction Stage = "production"
	StageCanary     Stage = "canary"
	StageShadow     Stage = "shadow"
	StageTraining   Stage = "training"
)

// Stages lists every stage a producer may send.
func Stages() []Stage {
	return []Stage{StageProduction, StageCanary, StageShadow, StageTraining}
}

// Valid reports whether s is one of Stages.
func (s Stage) Valid() bool {
	switch s {
	case StageProduction, StageCanary, StageShadow, StageTraining:
		return true
	}
	return false
}

// PredictionID identifies one prediction within its model; a label carries it
// back.
type PredictionID string

// Feature names one input of a model.
type Feature string

// Segment is one declared slice of a model's traffic: "key=value", "key=other"
// for the values that are not listed, or "a=x,b=y" for a joint one. SegmentAll is
// the whole of it.
type Segment string

// SegmentAll is the segment that holds all traffic.
const SegmentAll Segment = ""

// SLOName names one service level objective.
type SLOName string

// Owner names the team or person an alert is routed to.
type Owner string

// Series names one counted stream of values of a model: a feature, the score,
// the latency, or the requests themselves.
type Series string

// The series every model has. SeriesRequests carries counts only: its count is
// the number of deliveries.
const (
	SeriesRequests Series = "requests"
	SeriesScore    Series = "score"
	SeriesValue    Series = "predicted_value"
	SeriesClass    Series = "predicted"
	SeriesLatency  Series = "latency_ms"
	// SeriesDisagreement is that of an ensemble's members; SeriesExplained is 1
	// for a prediction with an explanation, 0 for one without.
	SeriesDisagreement Series = "disagreement"
	SeriesExplained    Series = "explained"
)

const featurePrefix = "feature:"

// Series returns the series in which the values of the feature are counted.
func (f Feature) Series() Series { return Series(featurePrefix + string(f)) }

// Feature returns the feature whose values the series counts, and false for a
// series that is not a feature's.
func (s Series) Feature() (Feature, bool) {
	name, ok := strings.CutPrefix(string(s), featurePrefix)
	return Feature(name), ok
}
