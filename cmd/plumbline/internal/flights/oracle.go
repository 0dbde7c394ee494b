package flights

import (
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Tally counts the predictions of one deploy.
type Tally struct{ Predictions, Labelled, Correct int }

// Accuracy returns the share of the labelled predictions that were correct,
// and 0 if none is labelled.
func (t Tally) Accuracy() float64 {
	if t.Labelled == 0 {
		return 0
	}
	return float64(t.Correct) / float64(t.Labelled)
}

// Counts is a number of events by kind.
type Counts struct{ Training, Predictions, Labels, Deployments int }

// Total is the number of events of every kind.
func (c Counts) Total() int { return c.Training + c.Predictions + c.Labels + c.Deployments }

// Facts is what a monitor must find that has seen every event up to a time.
type Facts struct {
	// Known is the time; events with At after it are not counted.
	Known  time.Time
	Counts Counts
	// Before and After tally the good and the faulty deploy.
	Before, After Tally
}

// Joined is the number of predictions that have their label.
func (f Facts) Joined() int { return f.Before.Labelled + f.After.Labelled }

// Oracle counts in one pass over the flights what has become known by the
// given time.
func (r *Replay) Oracle(known time.Time) Facts { return r.oracle(known, r.original(known)) }

func (r *Replay) oracle(made time.Time, labelled minute) Facts {
	f := Facts{Known: made}
	upTo := r.original(made)
	for k := range r.training {
		if !r.trainedAt(k).After(made) {
			f.Counts.Training++
		}
	}
	for _, v := range r.versions {
		if v.from <= upTo {
			f.Counts.Deployments++
		}
	}
	for i := r.lo; i < r.hi && r.data.departure[i] <= upTo; i++ {
		tally := &f.Before
		if r.serving(i) == versionFaulty {
			tally = &f.After
		}
		f.Counts.Predictions++
		tally.Predictions++
		if r.data.landing(i) > labelled {
			continue
		}
		f.Counts.Labels++
		tally.Labelled++
		if !r.wrong(i) {
			tally.Correct++
		}
	}
	return f
}

// wrong reports whether the answer served for flight i is not its label.
func (r *Replay) wrong(i int) bool {
	return (r.model.score(r.served(i)) > threshold) != r.data.late(i)
}

// About is what never changes during a run.
type About struct {
	Model *Model
	// Good and Faulty are the deploys; FaultAt is the moved time of the second.
	Good, Faulty plumbline.DeployHash
	FaultAt      time.Time
	// Start is the moved time at which the backfill begins.
	Start time.Time
	// Affected are the origins whose distance breaks, sorted, and
	// AffectedShare the share of the training traffic they carry.
	Affected      []string
	AffectedShare float64
	// BrokenFeature is the feature the faulty pipeline gets wrong.
	BrokenFeature plumbline.Feature
	// Flights is the number of flights replayed, backfill and live; Dropped
	// that of rows left out as recording errors.
	Flights, Dropped int
}

// About describes the run.
func (r *Replay) About() About {
	a := About{
		Model: r.model, Good: r.versions[versionGood].deploy, Faulty: r.versions[versionFaulty].deploy,
		FaultAt: r.moved(r.fault), Start: r.moved(r.start), AffectedShare: r.share,
		BrokenFeature: "distance", Flights: r.hi - r.lo, Dropped: r.data.Dropped,
	}
	for o, affected := range r.affected {
		if affected {
			a.Affected = append(a.Affected, r.data.airports[o])
		}
	}
	slices.Sort(a.Affected)
	return a
}
