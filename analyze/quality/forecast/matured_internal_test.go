package forecast

import (
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
)

// A window of which no label ever comes is not one whose labels are in: what was said of
// it would be held against itself, and be proven by that.
func TestAWindowWithoutAnyLabelIsNotMature(t *testing.T) {
	never := map[estimate.Stratum]estimate.Curve{1: estimate.NewCurve([]estimate.Wait{{Delay: 30 * day, Count: 500}})}
	cells := []history.Cell{{Stratum: 1, Predictions: 200, All: estimate.Weight{Requests: 200, Squares: 200}}}
	if share := matured(cells, never, 2*day); !(share < DefaultConfig().Mature) {
		t.Errorf("%v of the labels are in, which never come", share)
	}
	half := map[estimate.Stratum]estimate.Curve{1: estimate.NewCurve([]estimate.Wait{{Delay: time.Hour, Known: true, Count: 250}, {Delay: 30 * day, Count: 250}})}
	cells[0].Labelled, cells[0].Known = 100, estimate.Weight{Requests: 100, Squares: 100}
	if share := matured(cells, half, 2*day); share != 1 {
		t.Errorf("%v of the labels that ever come are in, want all", share)
	}
}
