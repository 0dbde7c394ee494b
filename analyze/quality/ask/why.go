package ask

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/cause"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// mean is a metric that is a mean over some predictions: of which, and of what.
type mean struct{ of, hit string }

// means returns the metrics that a change can be taken apart for: means over
// predictions, and means over those of a truth or an answer. The SQL is fixed;
// names are parameters.
func means() map[metric.ID]mean {
	const class, number, score = "(label != '' OR predicted != '')", "isNotNull(label_value) AND isNotNull(predicted_value)", "isNotNull(score) AND score >= 0 AND score <= 1"
	const e = "(assumeNotNull(predicted_value) - assumeNotNull(label_value))"
	return map[metric.ID]mean{
		metric.Accuracy:      {"1", "correct"},
		metric.Recall:        {class + " AND label = {positive:String}", "predicted = {positive:String}"},
		metric.Precision:     {class + " AND predicted = {positive:String}", "label = {positive:String}"},
		metric.Specificity:   {class + " AND label != {positive:String}", "predicted != {positive:String}"},
		metric.Brier:         {class + " AND " + score, "pow((label = {positive:String}) - assumeNotNull(score), 2)"},
		metric.LogLoss:       {class + " AND " + score, "-log(if(label = {positive:String}, assumeNotNull(score), 1 - assumeNotNull(score)))"},
		metric.MAE:           {number, "abs(" + e + ")"},
		metric.Bias:          {number, e},
		metric.BusinessValue: {class, "arrayElement({worths:Array(Float64)}, indexOf({kinds:Array(String)}, concat(toString(length(predicted)), ':', predicted, label)))"},
	}
}

// explained returns the metric that why is about: the first of those asked for
// that is a mean, else accuracy, or the mean error of a regression.
func explained(q Question, d Declaration, ids []metric.ID) (metric.ID, error) {
	all := means()
	for _, id := range ids {
		if _, ok := all[id]; ok {
			return id, nil
		}
	}
	if len(q.Metrics) > 0 {
		return "", ParameterError{Name: "why", Err: fmt.Errorf("%v are no means over predictions, so their change is no sum of parts: ask about accuracy, precision, recall, specificity, brier, log_loss, mae, bias or business_value", q.Metrics)}
	}
	if d.Task == Regression {
		return metric.MAE, nil
	}
	return metric.Accuracy, nil
}

// piece is a piece of one way of dividing.
type piece struct{ by, name string }

type sums struct {
	n   int64
	sum float64
}

// why takes the change of a mean since the window before apart.
func (a *Asker) why(ctx context.Context, q Question, d Declaration, ids []metric.ID, m *measured) (Why, error) {
	id, err := explained(q, d, ids)
	if err != nil {
		return Why{}, err
	}
	before := q
	before.From, before.To, before.By = q.Why.From, q.Why.To, ByNothing
	if len(q.Why.Deploys) > 0 {
		before.Deploys = q.Why.Deploys
	}
	q.By = ByNothing
	out := Why{Metric: id, From: before.From, To: before.To, Deploys: before.Deploys}
	if out.Missing = m.untold(id); out.Missing != "" {
		return out, nil
	}
	counted, err := a.counts(ctx, before, d)
	if err != nil {
		return Why{}, err
	}
	if _, err := affordable(before, counted); err != nil {
		return Why{}, ParameterError{Name: "against", Err: err}
	}
	cuts, err := a.cuts(ctx, before, d, q.Why.Features)
	if err != nil {
		return Why{}, err
	}
	was, err := a.pieces(ctx, before, d, means()[id], cuts)
	if err != nil {
		return Why{}, err
	}
	is, err := a.pieces(ctx, q, d, means()[id], cuts)
	if err != nil {
		return Why{}, err
	}
	all := piece{}
	if was[all].n == 0 || is[all].n == 0 {
		out.Missing = fmt.Sprintf("%d labels before and %d in the window: there is no change to take apart", was[all].n, is[all].n)
		return out, nil
	}
	out.Ways, err = ways(was, is)
	return out, err
}

// cuts returns where numeric features are cut, by name, from the rollups.
func (a *Asker) cuts(ctx context.Context, q Question, d Declaration, features []plumbline.Feature) (map[string][]float64, error) {
	all := map[string][]float64{}
	err := a.each(ctx, "cuts of features", q.statement(cutsSQL), append(q.parameters(d), named(features)), func(rows driver.Rows) error {
		var (
			name    string
			buckets []int32
			counts  []uint64
		)
		if err := rows.Scan(&name, &buckets, &counts); err != nil {
			return err
		}
		all[name] = deciles(buckets, counts)
		return nil
	})
	return all, err
}

// deciles returns the edges of buckets nearest above each tenth of the counts,
// each once and none below the first bucket.
func deciles(buckets []int32, counts []uint64) []float64 {
	var total, below uint64
	for _, n := range counts {
		total += n
	}
	var cuts []float64
	tenth := uint64(1)
	for i, n := range counts {
		if i > 0 && 10*below >= tenth*total {
			cuts = append(cuts, grid.Edge(buckets[i]))
			for 10*below >= tenth*total {
				tenth++
			}
		}
		below += n
	}
	return cuts
}

func named(features []plumbline.Feature) any {
	names := make([]string, len(features))
	for i, f := range features {
		names[i] = string(f)
	}
	return clickhouse.Named("features", names)
}

// featurePieces divides by the bins of numeric features and the values of others.
const featurePieces = `,
        arrayMap((name, value) -> (concat('number ', name), toString(arrayCount(cut -> value >= cut, arrayElement({cuts:Array(Array(Float64))}, indexOf({cut:Array(String)}, name))))),
            arrayFilter(name -> has({cut:Array(String)}, name), mapKeys(f.numbers)), arrayFilter((value, name) -> has({cut:Array(String)}, name), mapValues(f.numbers), mapKeys(f.numbers))),
        arrayMap((name, value) -> (concat('category ', name), value),
            arrayFilter(name -> empty({features:Array(String)}) OR has({features:Array(String)}, name), mapKeys(f.categories)),
            arrayFilter((value, name) -> empty({features:Array(String)}) OR has({features:Array(String)}, name), mapValues(f.categories), mapKeys(f.categories)))`

// square takes an error that there is none of for 0.
func square(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x * x
}

// pieces sums the metric by every way of dividing.
func (a *Asker) pieces(ctx context.Context, q Question, d Declaration, m mean, cuts map[string][]float64) (map[piece]sums, error) {
	var (
		names, kinds []string
		at           [][]float64
		worths       []float64
	)
	for name, c := range cuts {
		names, at = append(names, name), append(at, c)
	}
	for _, w := range d.Values {
		kinds, worths = append(kinds, strconv.Itoa(len(w.Predicted))+":"+w.Predicted+w.Label), append(worths, w.Value)
	}
	args := append(q.parameters(d), named(q.Why.Features), clickhouse.Named("cut", names), clickhouse.Named("cuts", at), clickhouse.Named("kinds", kinds), clickhouse.Named("worths", worths))
	statement := q.statement(piecesSQL, "/*hit*/", m.hit, "/*of*/", m.of, "/*pieces*/", featurePieces, "/*joined*/", joinedSQL(true))
	all := map[piece]sums{}
	err := a.each(ctx, "pieces of the change", statement, args, func(rows driver.Rows) error {
		var (
			p piece
			s sums
		)
		if err := rows.Scan(&p.by, &p.name, &s.n, &s.sum); err != nil {
			return err
		}
		switch kind, name, _ := strings.Cut(p.by, " "); kind {
		case "segment":
			key, value, _ := strings.Cut(p.name, "=")
			p = piece{"segment " + key, value}
		case "number":
			bin, err := strconv.Atoi(p.name)
			if err != nil {
				return err
			}
			p = piece{"feature " + name, binName(cuts[name], bin)}
		case "category":
			p.by = "feature " + name
		}
		before := all[p]
		all[p] = sums{before.n + s.n, before.sum + s.sum}
		return nil
	})
	return all, err
}

func binName(cuts []float64, bin int) string {
	digits := func(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
	switch {
	case len(cuts) == 0:
		return "all"
	case bin == 0:
		return "under " + digits(cuts[0])
	case bin >= len(cuts):
		return digits(cuts[len(cuts)-1]) + " and over"
	}
	return digits(cuts[bin-1]) + " to " + digits(cuts[bin])
}

// mostPieces is how many pieces of one way stand by themselves, the largest.
const mostPieces = 20

// ways decomposes the change by every way of dividing. What a way does not place
// is a piece of its own, so that the pieces sum to the change.
func ways(was, is map[piece]sums) ([]Way, error) {
	cells := map[string]map[string]cause.Cell{}
	put := func(from map[piece]sums, set func(*cause.Cell, sums)) {
		for p, s := range from {
			if cells[p.by] == nil {
				cells[p.by] = map[string]cause.Cell{}
			}
			c := cells[p.by][p.name]
			c.Name = p.name
			set(&c, s)
			cells[p.by][p.name] = c
		}
	}
	put(was, func(c *cause.Cell, s sums) { c.BeforeN, c.BeforeSum = s.n, s.sum })
	put(is, func(c *cause.Cell, s sums) { c.AfterN, c.AfterSum = s.n, s.sum })
	whole := cells[""][""]
	delete(cells, "")
	var out []Way
	for by, pieces := range cells {
		d, err := cause.Decompose(complete(pieces, whole))
		if err != nil {
			return nil, err
		}
		out = append(out, Way{By: by, Decomposition: d, Spread: spread(d)})
	}
	slices.SortFunc(out, func(a, b Way) int { return cmp.Or(cmp.Compare(b.Spread, a.Spread), cmp.Compare(a.By, b.By)) })
	return out, nil
}

// complete puts the small pieces together and adds what is in none.
func complete(pieces map[string]cause.Cell, whole cause.Cell) []cause.Cell {
	var all []cause.Cell
	rest := whole
	rest.Name = "(none)"
	for _, c := range pieces {
		all = append(all, c)
		rest.BeforeN, rest.AfterN, rest.BeforeSum, rest.AfterSum = rest.BeforeN-c.BeforeN, rest.AfterN-c.AfterN, rest.BeforeSum-c.BeforeSum, rest.AfterSum-c.AfterSum
	}
	slices.SortFunc(all, func(a, b cause.Cell) int {
		return cmp.Or(cmp.Compare(b.BeforeN+b.AfterN, a.BeforeN+a.AfterN), cmp.Compare(a.Name, b.Name))
	})
	if len(all) > mostPieces {
		others := cause.Cell{Name: "(others)"}
		for _, c := range all[mostPieces:] {
			others.BeforeN, others.AfterN, others.BeforeSum, others.AfterSum = others.BeforeN+c.BeforeN, others.AfterN+c.AfterN, others.BeforeSum+c.BeforeSum, others.AfterSum+c.AfterSum
		}
		all = append(all[:mostPieces], others)
	}
	if rest.BeforeN+rest.AfterN > 0 {
		all = append(all, rest)
	}
	return all
}

// spread is half the sum of the distances of the parts from what each would add
// if the change were the same everywhere, each less its standard error: many
// small pieces are not uneven for their noise.
func spread(d cause.Decomposition) float64 {
	sum := 0.0
	for _, p := range d.Parts {
		off := math.Abs(p.Total - d.Change*(p.BeforeShare+p.AfterShare)/2)
		sum += max(off-math.Sqrt(square(p.MixError)+square(p.RateError)), 0)
	}
	return sum / 2
}
