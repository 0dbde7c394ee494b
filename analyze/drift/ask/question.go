package ask

import (
	"errors"
	"fmt"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// Question is what is compared with what.
type Question struct {
	Model plumbline.Model
	// Deploys are the deploys in question; none means all traffic of the window.
	Deploys []plumbline.DeployHash
	// Stage is production if empty.
	Stage plumbline.Stage
	// Segment is the slice as key=value, of the window and the references.
	Segment plumbline.Segment
	// From and To bound the window in event time, To exclusive. Rollups are by
	// hour: From is taken back to the start of its hour, To forward to the end
	// of its.
	From, To time.Time
	// References are one at least; each is asked once.
	References []Reference
	// Series are the features and outputs to compare; none means all that the
	// window or a reference has.
	Series []plumbline.Series
	// Measures are DefaultMeasures if empty.
	Measures []measure.ID
	// Options say how a distance is judged; DefaultOptions of measure if they
	// have no Confidence.
	Options measure.Options
	// Why takes apart what is in breach, see Answer.Why.
	Why bool
}

// maxReferences bounds how many references one question may name.
const maxReferences = 16

// DefaultMeasures are those of a question that names none: one of shares that
// everybody knows, a metric of shares, and one of numbers that needs no cells.
func DefaultMeasures() []measure.ID { return []measure.ID{measure.PSI, measure.JS, measure.KS} }

// settled returns the question with defaults filled in and the window in whole
// hours, or every mistake in it.
func (q Question) settled() (Question, error) {
	var errs []error
	if q.Model == "" {
		errs = append(errs, errors.New("no model"))
	}
	if q.Stage == "" {
		q.Stage = plumbline.StageProduction
	}
	if !q.Stage.Valid() {
		errs = append(errs, fmt.Errorf("stage %q: must be one of %v", q.Stage, plumbline.Stages()))
	}
	q.From, q.To = wholeHours(q.From, q.To)
	if !q.From.Before(q.To) || q.To.Sub(q.From) > maxLength {
		errs = append(errs, fmt.Errorf("window %s to %s: must be 1h to 400d", spell(q.From), spell(q.To)))
	}
	if len(q.References) == 0 || len(q.References) > maxReferences {
		errs = append(errs, fmt.Errorf("%d references: must be 1 to %d", len(q.References), maxReferences))
	}
	var unique []Reference
	for _, r := range q.References {
		if !slices.Contains(unique, r) {
			unique = append(unique, r)
			errs = append(errs, r.Validate())
		}
	}
	q.References = unique
	if len(q.Measures) == 0 {
		q.Measures = DefaultMeasures()
	}
	for _, id := range q.Measures {
		if _, ok := measure.Lookup(id); !ok {
			errs = append(errs, fmt.Errorf("measure %q: there is no such measure", id))
		}
	}
	if q.Options.Confidence == 0 {
		q.Options = measure.DefaultOptions()
	}
	return q, errors.Join(append(errs, q.Options.Validate())...)
}

// wholeHours takes from back to the start of its hour and to forward to the end
// of its: rollups are by hour.
func wholeHours(from, to time.Time) (time.Time, time.Time) {
	end := to.UTC().Truncate(time.Hour)
	if end.Before(to) {
		end = end.Add(time.Hour)
	}
	return from.UTC().Truncate(time.Hour), end
}

// query returns the part of the question that the reader answers.
func (q Question) query() drift.Query {
	return drift.Query{Model: q.Model, Deploys: q.Deploys, Stage: q.Stage, Segment: q.Segment, Series: q.Series, From: q.From, To: q.To}
}

// over returns the query of other traffic of the same segment and series.
func (q Question) over(stage plumbline.Stage, from, to time.Time, deploys ...plumbline.DeployHash) drift.Query {
	return drift.Query{Model: q.Model, Deploys: deploys, Stage: stage, Segment: q.Segment, Series: q.Series, From: from, To: to}
}
