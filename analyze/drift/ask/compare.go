package ask

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// rows compares one series with every reference.
func (a *Answer) rows(q Question, series plumbline.Series) ([]Row, error) {
	var all []Row
	for _, r := range a.References {
		p := pair{series: series, reference: r.Window.Sample(series), current: a.Current.Sample(series), clusters: a.Clusters, window: a.To.Sub(a.From)}
		rows, err := p.rows(q, p.missing(r, a.Current))
		if err != nil {
			return nil, fmt.Errorf("series %q against %s: %w", series, r.Asked, err)
		}
		for i := range rows {
			rows[i].Series, rows[i].Reference = series, r.Asked.String()
			p.clustered(&rows[i])
			if f, ok := series.Feature(); ok {
				rows[i].Feature = f
			}
		}
		all = append(all, rows...)
	}
	return all, nil
}

// pair is one series in a reference and in the window.
type pair struct {
	series             plumbline.Series
	reference, current drift.Sample
	// clusters are nil where events are taken as independent.
	clusters *cluster.Effects
	window   time.Duration
}

// design is how many times clusters multiply the variance of counts, as far as a
// measure sees it.
func (p pair) design(id measure.ID) float64 {
	if p.clusters == nil {
		return 1
	}
	return p.clusters.Of(p.series, id, p.window)
}

// clustered says in a row what is taken for granted of clusters. A breach that
// rests on events being independent is none where they are said not to be.
func (p pair) clustered(r *Row) {
	r.Design = p.design(r.Measure)
	if p.clusters == nil || r.Verdict == plumbline.VerdictMissing {
		return
	}
	r.Assumption += "; " + p.clusters.String()
	if !p.clusters.Known() && r.Verdict == plumbline.VerdictBreach {
		r.Verdict, r.Why = plumbline.VerdictInsufficient, p.clusters.String()
	}
}

// each compares measures, those that clusters widen alike at a time, and returns
// the results in the order asked for.
func (p pair) each(o measure.Options, ids []measure.ID, compare func(measure.Options, ...measure.ID) ([]measure.Result, error)) ([]measure.Result, error) {
	if p.clusters == nil {
		return compare(o, ids...)
	}
	alike := map[float64][]measure.ID{}
	for _, id := range ids {
		alike[p.design(id)] = append(alike[p.design(id)], id)
	}
	of := map[measure.ID]measure.Result{}
	for design, some := range alike {
		widened := o
		widened.Overdispersion *= design
		found, err := compare(widened, some...)
		if err != nil {
			return nil, err
		}
		for _, r := range found {
			of[r.Measure] = r
		}
	}
	results := make([]measure.Result, len(ids))
	for i, id := range ids {
		results[i] = of[id]
	}
	return results, nil
}

// missing says why the samples cannot be compared; empty if they can.
func (p pair) missing(r Resolved, current drift.Window) string {
	_, feature := p.series.Feature()
	switch {
	case r.Missing != "":
		return r.Missing
	case current.Requests == 0:
		return "the window has no requests"
	case p.reference.Present() == 0 && p.current.Present() == 0:
		return "neither the window nor the reference has it"
	case feature && p.reference.Present() == 0 && r.Chosen.Kind == Training:
		return "not in the training set: there is nothing to compare it with"
	case feature && p.reference.Present() == 0:
		return "not in the reference: there is nothing to compare it with"
	case p.reference.Present() == 0:
		return "the reference has none"
	case p.reference.Numbers.Total() > 0 && p.current.Numbers.Total() > 0 && p.reference.Grid != p.current.Grid:
		return fmt.Sprintf("the reference is counted on grid %s, the window on %s", version(p.reference), version(p.current))
	}
	return ""
}

func version(s drift.Sample) grid.Version { return cmp.Or(s.Grid, grid.Full) }

// rows returns a row for each measure that is defined for the series.
func (p pair) rows(q Question, missing string) ([]Row, error) {
	var onCells, onNumbers []measure.ID
	for _, id := range q.Measures {
		if d, _ := measure.Lookup(id); d.OnCells {
			onCells = append(onCells, id)
		} else if p.numeric() {
			onNumbers = append(onNumbers, id)
		}
	}
	if missing != "" {
		var rows []Row
		for _, id := range slices.Concat(onCells, onNumbers) {
			rows = append(rows, missingRow(id, missing))
		}
		return rows, nil
	}
	was, is, before, after := drift.NewCut(p.reference).Compare(p.reference, p.current)
	if _, feature := p.series.Feature(); feature && p.current.Present() == 0 {
		after += ": no prediction has it"
	}
	rows, err := p.cells(q, measure.Cells{Reference: was, Current: is}, onCells)
	if err != nil {
		return nil, err
	}
	numbers, err := p.numbers(q, onNumbers)
	if err != nil {
		return nil, err
	}
	rows = append(rows, numbers...)
	for i := range rows {
		if rows[i].Verdict != plumbline.VerdictMissing {
			rows[i].Before, rows[i].After = before, after
		}
	}
	return rows, nil
}

// numeric reports whether either sample has numbers.
func (p pair) numeric() bool {
	return p.reference.Numbers.Total() > 0 || p.current.Numbers.Total() > 0
}

func missingRow(id measure.ID, why string) Row {
	nan := math.NaN()
	return Row{
		Result:  measure.Result{Measure: id, Value: nan, Bound: nan, Statistic: nan, NullMean: nan, Debiased: nan, Low: nan, High: nan, P: nan, MinEffect: nan, Method: measure.None},
		Verdict: plumbline.VerdictMissing, Why: why,
	}
}

// cells compares the shares of the cells that the reference was cut into.
func (p pair) cells(q Question, counts measure.Cells, ids []measure.ID) ([]Row, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	n, m := total(counts.Reference), total(counts.Current)
	results, err := p.each(p.options(q.Options, n, m), ids, counts.Compare)
	if err != nil {
		return nil, err
	}
	return judged(results, n, m), nil
}

// numbers compares the finite numbers on the grid.
func (p pair) numbers(q Question, ids []measure.ID) ([]Row, error) {
	n, m := p.reference.Numbers.Total(), p.current.Numbers.Total()
	var rows []Row
	asked := make([]measure.ID, 0, len(ids))
	for _, id := range ids {
		wasserstein := id == measure.Wasserstein || id == measure.WassersteinScale
		switch {
		case n == 0:
			rows = append(rows, missingRow(id, "the reference has no numbers of it"))
		case m == 0:
			rows = append(rows, missingRow(id, "the window has no numbers of it"))
		case wasserstein && p.current.Grid != "":
			rows = append(rows, missingRow(id, "probabilities are counted by their odds, which have no length"))
		default:
			asked = append(asked, id)
		}
	}
	if len(asked) == 0 {
		return rows, nil
	}
	both := measure.Numbers{Reference: measure.Histogram(p.reference.Numbers), Current: measure.Histogram(p.current.Numbers)}
	results, err := p.each(p.options(q.Options, n, m), asked, both.Compare)
	if err != nil {
		return nil, err
	}
	return append(rows, judged(results, n, m)...), nil
}

// options widens the noise where deliveries stand for several requests: of n
// requests counted from deliveries of weight w each, a share has w times the
// variance.
func (p pair) options(o measure.Options, n, m uint64) measure.Options {
	w, v := max(1, p.reference.Weight), max(1, p.current.Weight)
	if n == 0 || m == 0 || w == 1 && v == 1 {
		return o
	}
	x, y := 1/float64(n), 1/float64(m)
	o.Overdispersion *= (w*x + v*y) / (x + y)
	return o
}

func total(counts []uint64) uint64 {
	var n uint64
	for _, c := range counts {
		n += c
	}
	return n
}

// judged turns results into rows with a verdict.
func judged(results []measure.Result, n, m uint64) []Row {
	rows := make([]Row, len(results))
	for i, r := range results {
		rows[i] = Row{Result: r, ReferenceCount: n, Count: m}
		rows[i].Verdict, rows[i].Why = verdict(r)
	}
	return rows
}

func verdict(r measure.Result) (verdict, why string) {
	switch {
	case r.Method == measure.None:
		return plumbline.VerdictInsufficient, "not defined for these samples: one is empty or never varies"
	case r.Alarm:
		return plumbline.VerdictBreach, ""
	case math.IsNaN(r.MinEffect):
		return plumbline.VerdictInsufficient, "nothing says which " + string(r.Measure) + " matters: it is shown, not judged"
	case r.NullMean > r.MinEffect:
		return plumbline.VerdictInsufficient, fmt.Sprintf("noise alone gives %.3g, more than the %.3g that matters", r.NullMean, r.MinEffect)
	}
	return plumbline.VerdictOK, ""
}

// sortByEffect sorts the greatest effect first and what has none last.
func sortByEffect(rows []Row) {
	order := func(r Row) float64 {
		if e := r.Effect(); !math.IsNaN(e) {
			return e
		}
		return math.Inf(-1)
	}
	slices.SortStableFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(order(b), order(a)), cmp.Compare(a.Series, b.Series), cmp.Compare(a.Reference, b.Reference), cmp.Compare(a.Measure, b.Measure))
	})
}
