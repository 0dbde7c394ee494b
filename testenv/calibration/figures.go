package calibration

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/testenv/figure"
)

// Figures returns, for each measure, the greatest rate at 5 % and 1 % over all
// cells, the least over those in which the exact test attains its level, and
// the greatest excess of alarms over p-values. The cell stands in the name.
//
// The bars are fixed. A rate of few nulls misses them by chance: errors is the
// number of its standard errors by which it is brought nearer to the bar, 0 in
// the full form. In the short form the figure then says no more than that the
// rate is compatible with the bar.
func Figures(cells []Cell, errors float64) []figure.Figure {
	var figures []figure.Figure
	less := ""
	if errors > 0 {
		less = fmt.Sprintf(" within %g standard errors", errors)
	}
	for _, d := range measure.Table() {
		id := d.ID
		five := func(c Cell) (float64, float64) { return c.Five[id], 0.05 }
		one := func(c Cell) (float64, float64) { return c.One[id], 0.01 }
		most := func(name string, of rate, bar float64) {
			if v, at, ok := extreme(cells, id, of, 1, errors, func(Cell) bool { return true }); ok {
				figures = append(figures, figure.AtMost(fmt.Sprintf("%s, greatest rate at %s%s (%s)", id, name, less, at), 100*v, "%", bar))
			}
		}
		least := func(name string, of rate, bar float64) {
			attains := func(c Cell) bool { return c.Limit[id] || c.Dense && !whole(id) }
			if v, at, ok := extreme(cells, id, of, -1, errors, attains); ok {
				figures = append(figures, figure.AtLeast(fmt.Sprintf("%s, least rate at %s%s (%s)", id, name, less, at), 100*v, "%", bar))
			}
		}
		most("5 %", five, 6)
		most("1 %", one, 1.5)
		least("5 %", five, 4)
		least("1 %", one, 0.5)
		excess := func(c Cell) (float64, float64) { return c.Alarms[id] - c.One[id], 0 }
		if v, at, ok := extreme(cells, id, excess, 1, 0, func(Cell) bool { return true }); ok {
			figures = append(figures, figure.AtMost(fmt.Sprintf("%s, alarms beyond p-values (%s)", id, at), 100*v, "%", 0))
		}
	}
	return figures
}

// whole reports whether the measure is a whole number of events where sizes are
// alike, so that an exact test of it need not attain its level however many
// there are in each cell. Unless a limit judged, such a measure is judged tie for
// tie, and rejects wherever the exact test does.
func whole(id measure.ID) bool {
	return id == measure.TVD || id == measure.LInfinity || id == measure.KS
}

// rate returns a rate of a cell and the nominal one.
type rate func(Cell) (v, nominal float64)

// extreme returns the greatest (sign 1) or least (sign -1) rate among the cells
// that have one, and its cell.
func extreme(cells []Cell, id measure.ID, of rate, sign, errors float64, which func(Cell) bool) (float64, Cell, bool) {
	var worst Cell
	value, found := 0.0, false
	for _, c := range cells {
		if _, ok := c.Five[id]; !ok || !which(c) {
			continue
		}
		v, nominal := of(c)
		v -= sign * errors * math.Sqrt(nominal*(1-nominal)/float64(c.Nulls))
		if !found || sign*v > sign*value {
			value, worst, found = v, c, true
		}
	}
	return value, worst, found
}
