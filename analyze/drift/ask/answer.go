package ask

import (
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Answer says how far a window is from its references.
type Answer struct {
	Model   plumbline.Model
	Deploys []plumbline.DeployHash
	Stage   plumbline.Stage
	Segment plumbline.Segment
	// From and To are the window in whole hours, To exclusive.
	From, To time.Time
	// Current is what the model saw in the window.
	Current drift.Window
	// Clusters is how much events that belong together make counts vary; nil if
	// the model does not say what belongs together, and events are taken as
	// independent.
	Clusters *cluster.Effects
	// References are in the order asked for, the training set last if only auto
	// brought it in.
	References []Resolved
	// Rows are sorted by effect, see Row.Effect, the greatest first; what could
	// not be compared comes last.
	Rows []Row
	// Why takes the rows in breach apart, an entry a reference that has any; nil
	// unless the question asks for it.
	Why []Why
}

// Resolved is a reference as it stood for this window.
type Resolved struct {
	// Asked is the reference as asked for, and Kind what it came to: for Auto
	// what was chosen, otherwise the same.
	Asked, Chosen Reference
	// Of says in words what it is, such as a deploy and its hours. It may hold
	// text of the producer, quoted.
	Of string
	// Queries are the windows that it was added up from; none if it is missing.
	Queries []drift.Query
	// Window is what was read.
	Window drift.Window
	// Missing says why there is nothing to compare with; empty if there is.
	Missing string
	// Note says what the reference has less of than it should.
	Note string
	// Choice is that of Auto, nil otherwise.
	Choice *alarm.Choice
}

// Row is one series against one reference by one measure.
type Row struct {
	Series plumbline.Series
	// Feature is the feature of the series; empty for what the model answered.
	Feature plumbline.Feature
	// Reference is spelled as it was asked for.
	Reference string
	// Result is the distance and what it rests on; NaN where nothing can be
	// said.
	measure.Result
	// ReferenceCount and Count are the requests that the distance was counted
	// from; on the measures of numbers, those with a number.
	ReferenceCount, Count uint64
	// Design is how many times clusters are taken to multiply the variance of the
	// counts; 1 where events are taken as independent.
	Design float64
	// Before and After say in words what moved most. They may hold text of the
	// producer, quoted.
	Before, After string
	// Verdict is plumbline.VerdictBreach where the distance is beyond noise and
	// beyond what matters, VerdictOK where it is not, VerdictInsufficient where
	// the samples are too small to tell or nothing says what matters, and
	// VerdictMissing where there is nothing to compare.
	Verdict string
	// Why says in words why a verdict is missing or insufficient.
	Why string
}

// Effect is how many least effects the distance lies beyond noise; NaN where
// nothing can be said. It makes measures comparable.
func (r Row) Effect() float64 { return r.Debiased / r.MinEffect }
