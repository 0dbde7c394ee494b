package forecast

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
)

// WindowMaturity is how much of what a window's labels will say is in.
type WindowMaturity struct {
	// Deploy is whose predictions these are, empty for all.
	Deploy plumbline.DeployHash
	From   time.Time
	To     time.Time
	estimate.Outlook
	// MatureAt is when the asked share of its labels is expected to be in; zero
	// where the curves do not reach it.
	MatureAt time.Time
	// State is missing without predictions, insufficient where no label of the
	// model is known or the share that never comes is not, and ok else.
	State string
	Why   string
}

// StratumDelay is how late the labels of one stratum are.
type StratumDelay struct {
	Stratum estimate.Stratum
	Title   string
	Curve   estimate.Curve
	// Half and Most are the delays within which half and nine tenths of the labels
	// that ever come are in; negative where none is known.
	Half, Most time.Duration
}

// Maturity is all that delay curves say at an hour.
type Maturity struct {
	Model  plumbline.Model
	At     time.Time
	Strata history.Strata
	Delays []StratumDelay
	// Newest is up to where predictions are in, where they are hours beyond At that
	// the service has not counted yet, and so knows no label of; else it is zero.
	Newest time.Time
	// Uncounted is what is stored but not counted yet. CountedAfter is the end of the
	// hour that is not over, where that is what the next count waits for, and zero
	// where the service's next look counts.
	Uncounted    history.Uncounted
	CountedAfter time.Time
	// Unjoined counts labels, of this or another model, that are stored and wait to be
	// joined; before that they are not counted.
	Unjoined uint64
	// Share is what counts as mature.
	Share   float64
	Windows []WindowMaturity
}

// noLabel is why nothing can be said of how late labels are.
const noLabel = "no label of this model is known"

// leastFollowed predictions make a curve.
const leastFollowed = 50

// Maturity returns the delay curves at an hour, and the maturity of the windows of
// some lengths that end there: of all deploys together, and of each of those
// named. Share says what counts as mature.
func (f *Forecaster) Maturity(ctx context.Context, at time.Time, share float64, windows []time.Duration, deploys ...plumbline.DeployHash) (Maturity, error) {
	d, err := f.Delays(ctx, at)
	if err != nil {
		return Maturity{}, err
	}
	out := Maturity{Model: f.scope.Model, At: at, Strata: f.scope.Strata, Share: share}
	curves := d.Curves()
	for _, stratum := range slices.Sorted(maps.Keys(curves)) {
		c := curves[stratum]
		out.Delays = append(out.Delays, StratumDelay{
			Stratum: stratum, Title: f.scope.Strata.Title(stratum), Curve: c, Half: within(c, 0.5), Most: within(c, 0.9),
		})
	}
	for _, window := range windows {
		for _, deploy := range append([]plumbline.DeployHash{""}, deploys...) {
			w := WindowMaturity{Deploy: deploy, From: at.Add(-window), To: at}
			w.judge(d.Batches(w.From, w.To, deploy), curves, share, at)
			out.Windows = append(out.Windows, w)
		}
	}
	return out, nil
}

// within is how long it takes until a share of the labels that ever come are in.
func within(c estimate.Curve, share float64) time.Duration {
	if !(c.Ever() > 0) {
		return -1
	}
	wait, reached := estimate.MatureIn(share, []estimate.Batch{{Waiting: 1}}, map[estimate.Stratum]estimate.Curve{0: c})
	if !reached {
		return -1
	}
	return wait
}

func (w *WindowMaturity) judge(batches []estimate.Batch, curves map[estimate.Stratum]estimate.Curve, share float64, at time.Time) {
	w.Outlook = estimate.Maturity(batches, curves)
	w.State = plumbline.VerdictOK
	followed, ever := int64(0), 0.0
	for _, c := range curves {
		followed += c.Predictions
		ever = max(ever, c.Ever())
	}
	if wait, reached := estimate.MatureIn(share, batches, curves); reached && w.Known+w.Waiting > 0 {
		w.MatureAt = at.Add(wait)
	}
	switch {
	case w.Known+w.Waiting == 0:
		w.State, w.Why = plumbline.VerdictMissing, "no predictions"
	case !(ever > 0):
		w.State, w.Why = plumbline.VerdictMissing, noLabel
		w.Maturity, w.Low, w.High, w.MatureAt = math.NaN(), math.NaN(), math.NaN(), time.Time{}
	case followed < leastFollowed:
		w.State, w.Why = plumbline.VerdictInsufficient, fmt.Sprintf("%d predictions were followed, %d are needed", followed, leastFollowed)
	case !w.Settled:
		w.State, w.Why = plumbline.VerdictInsufficient, "predictions were not watched for long enough to tell labels that never come from those that are late: the maturity is, if anything, too high, and the date too early"
	}
}

// Counts are the labels of a window.
type Counts struct {
	history.Cell
	// Classes are the same by predicted class.
	Classes map[string]history.Cell
}

// Count returns the predictions and labels of a window as known at an hour.
func (f *Forecaster) Count(ctx context.Context, q Question, at time.Time) (Counts, error) {
	out := Counts{Classes: map[string]history.Cell{}}
	cells, err := f.reader.Cells(ctx, f.scope, history.Range{From: q.End.Add(-q.Window), To: q.End, At: at})
	if err != nil {
		return out, err
	}
	if q.Deploy != "" {
		cells = ofDeploy(cells, q.Deploy)
	}
	add := func(sum history.Cell, c history.Cell) history.Cell {
		sum.Predictions += c.Predictions
		sum.Labelled += c.Labelled
		sum.Correct += c.Correct
		sum.All.Add(c.All)
		sum.Known.Add(c.Known)
		sum.Right.Add(c.Right)
		return sum
	}
	for _, c := range cells {
		if c.Predictions < c.Labelled {
			c.Predictions, c.All = c.Labelled, c.Known
		}
		out.Cell = add(out.Cell, c)
		out.Classes[c.Predicted] = add(out.Classes[c.Predicted], c)
	}
	return out, nil
}
