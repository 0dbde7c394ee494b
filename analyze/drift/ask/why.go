package ask

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/analyze/drift/why"
)

// Why takes apart what alarmed against one reference.
type Why struct {
	// Reference is spelled as it was asked for.
	Reference string `json:"reference"`
	// Left is the number of series that alarmed too and had less effect than
	// those taken apart.
	Left int `json:"left"`
	why.Report
}

// mostExplained is how many series are taken apart against one reference.
const mostExplained = 10

// explain takes the distances in breach apart, reference by reference, by the
// first measure asked for that is a sum over cells.
func (a *Asker) explain(ctx context.Context, q Question, answer *Answer) error {
	by := measure.PSI
	for _, id := range q.Measures {
		if d, _ := measure.Lookup(id); d.OnCells && id != measure.LInfinity {
			by = id
			break
		}
	}
	reader := why.Reader{Conn: a.reader.Conn}
	for _, r := range answer.References {
		name := r.Asked.String()
		series, weights := answer.breaches(name)
		if len(series) == 0 {
			continue
		}
		left := max(0, len(series)-mostExplained)
		report, err := reader.Explain(ctx, why.Scope{
			Window: q.query(), Current: answer.Current, Reference: r.Window, References: r.Queries,
			Series: series[:len(series)-left], Weights: weights, Measure: by,
		})
		if err != nil {
			return fmt.Errorf("why against %s: %w", name, err)
		}
		answer.Why = append(answer.Why, Why{Reference: name, Left: left, Report: report})
	}
	return nil
}

// breaches returns the series in breach against a reference, by any measure, the
// greatest effect first, with their effects.
func (a *Answer) breaches(reference string) ([]plumbline.Series, map[plumbline.Series]float64) {
	effects := map[plumbline.Series]float64{}
	var series []plumbline.Series
	for _, row := range a.Rows {
		if row.Reference != reference || row.Verdict != plumbline.VerdictBreach {
			continue
		}
		if _, ok := effects[row.Series]; !ok {
			series = append(series, row.Series)
		}
		if e := row.Effect(); !math.IsNaN(e) && !math.IsInf(e, 0) {
			effects[row.Series] = max(effects[row.Series], e)
		}
	}
	slices.SortStableFunc(series, func(x, y plumbline.Series) int { return cmp.Compare(effects[y], effects[x]) })
	return series, effects
}
