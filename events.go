package plumbline

import "time"

// Prediction is one answer of a model as its producer logged it. It is the
// event in its readable form, for producers and tests; ingest decodes straight
// into columns and never builds one.
type Prediction struct {
	ID     PredictionID
	Model  Model
	Deploy DeployHash
	Stage  Stage
	// Time is the event time: when the model answered.
	Time       time.Time
	Numbers    map[Feature]float64
	Categories map[Feature]string
	// Score is the model's probability or score, if it gave one.
	Score *float64
	// Predicted is the predicted class; a regression sends PredictedValue.
	Predicted      string
	PredictedValue *float64
	LatencyMS      *float64
}

// Label is the truth about one prediction, hours to weeks later. Of several
// labels for one prediction the greatest (Time, topic, partition, offset) wins.
type Label struct {
	ID    PredictionID
	Model Model
	// Time is when the truth was established, as the producer says.
	Time  time.Time
	Class string
	Value *float64
	// Deleted withdraws every earlier label of the prediction.
	Deleted bool
}

// KPI is one reading of a business figure.
type KPI struct {
	Model Model
	Name  string
	Time  time.Time
	Value float64
	// Segment is the slice the reading is about; SegmentAll is all traffic.
	Segment Segment
}

// Deployment records that a deploy began to serve a model.
type Deployment struct {
	Model       Model
	Deploy      DeployHash
	Stage       Stage
	Time        time.Time
	Version     string
	By          string
	Commit      string
	DatasetHash string
	FeatureJob  string
	Note        string
}
