package measure

import (
	"fmt"
	"math"
)

// Cells are two samples counted in the same cells, which were cut on the
// reference; categories that only one sample has are cells like any other.
type Cells struct{ Reference, Current []uint64 }

// Compare returns the results of the measures in the order asked for, all
// measures on cells if none is named. It returns an error if the lists differ in
// length, the options are not valid, or a measure is not one on cells.
func (c Cells) Compare(o Options, ids ...ID) ([]Result, error) {
	if len(c.Reference) != len(c.Current) {
		return nil, fmt.Errorf("compare %d cells with %d", len(c.Reference), len(c.Current))
	}
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("compare cells: %w", err)
	}
	ids, err := chosen(ids, true)
	if err != nil {
		return nil, err
	}
	t := newTwo(c)
	results := make([]Result, len(ids))
	var simulated, fitted []int
	for i, id := range ids {
		switch {
		case t.n == 0 || t.m == 0:
			results[i] = undefined(id, o)
		case t.same():
			results[i] = Result{Measure: id, P: 1, Method: Exact}.judged(o)
		case t.large(id):
			results[i] = t.asymptotic(id, o)
		case !t.many():
			simulated = append(simulated, i)
		case id == LInfinity:
			results[i] = t.greatest(o)
		default:
			fitted = append(fitted, i)
		}
	}
	t.simulate(ids, simulated, o, results)
	t.fit(ids, fitted, o, results)
	return results, nil
}

// two are two samples in the cells that at least one of them fills.
type two struct {
	p, q   []float64 // counts
	pooled []uint64
	n, m   float64
}

func newTwo(c Cells) two {
	var t two
	for i, x := range c.Reference {
		y := c.Current[i]
		if x+y == 0 {
			continue
		}
		t.p, t.q = append(t.p, float64(x)), append(t.q, float64(y))
		t.pooled = append(t.pooled, x+y)
		t.n += float64(x)
		t.m += float64(y)
	}
	return t
}

// same reports whether there is one cell only: nothing can differ.
func (t two) same() bool { return len(t.pooled) == 1 }

// freedom is the number of degrees of freedom.
func (t two) freedom() float64 { return float64(len(t.pooled) - 1) }

// noise is 1/n + 1/m, the variance of a difference of shares over p(1-p).
func (t two) noise() float64 { return 1/t.n + 1/t.m }

// expected is the least count that a cell of either sample has on average if
// nothing changed.
func (t two) expected() float64 {
	least := math.Inf(1)
	for _, c := range t.pooled {
		least = min(least, float64(c))
	}
	return least * min(t.n, t.m) / (t.n + t.m)
}

// large reports whether the limit distribution serves. Pearson's statistic needs
// five expected events a cell (Cochran 1954), and more where there are many
// cells, for sparse ones add to its variance. The others differ from it by about
// a part in the expected count, which must be small against the spread of the
// statistic. The limits of TVD and L-infinity have no closed form.
func (t two) large(id ID) bool {
	root := math.Sqrt(t.freedom())
	switch id {
	case ChiSquare:
		return t.expected() >= 5+1.5*root && len(t.pooled) > 2
	case PSI, KL, JS, Hellinger:
		return t.expected() >= 5+20*root
	default:
		return false
	}
}

const (
	// manyCells is the number of cells beyond which a draw of all of them costs
	// too much, while sums over them are close to the limits that few cells miss.
	manyCells = 64
	// fewEvents is the number of events up to which so many cells are drawn
	// nevertheless: they are so sparse that sums over them have great ties.
	fewEvents = 1200
)

// many reports whether the null is computed from the moments of the cells.
func (t two) many() bool { return len(t.pooled) > manyCells && t.n+t.m > fewEvents }

// value returns the measure of a split: p and q are counts that add up to n
// and m.
func value(id ID, p, q []float64, n, m float64) float64 {
	if id == PSI || id == KL {
		n, m = filledTotal(p), filledTotal(q)
	}
	sum := 0.0
	for i := range p {
		v := term(id, p[i], q[i], n, m)
		if id == LInfinity {
			sum = max(sum, v)
		} else {
			sum += v
		}
	}
	switch id {
	case JS, Hellinger:
		return math.Sqrt(max(0, sum))
	default:
		return max(0, sum)
	}
}

func filledTotal(counts []float64) float64 {
	sum := 0.0
	for _, c := range counts {
		sum += max(c, 0.5)
	}
	return sum
}

// term is the part of one cell with counts x of n and y of m, of the square of
// the measure for those that are roots.
func term(id ID, x, y, n, m float64) float64 {
	p, q := x/n, y/m
	switch id {
	case PSI:
		p, q = max(x, 0.5)/n, max(y, 0.5)/m
		return (q - p) * math.Log(q/p)
	case KL:
		p, q = max(x, 0.5)/n, max(y, 0.5)/m
		return q * math.Log(q/p)
	case JS:
		middle := (p + q) / 2
		return (entropy(p, middle) + entropy(q, middle)) / (2 * math.Ln2)
	case Hellinger:
		d := math.Sqrt(p) - math.Sqrt(q)
		return d * d / 2
	case ChiSquare:
		return (p - q) * (p - q) * (n + m) / (x + y)
	case TVD:
		return math.Abs(p-q) / 2
	default:
		return math.Abs(p - q)
	}
}

func entropy(p, q float64) float64 {
	if p == 0 {
		return 0
	}
	return p * math.Log(p/q)
}

// unit is what the measure, or its square, must be divided by to be chi-square:
// all sums over cells are the same quadratic form near the null.
func unit(id ID, noise float64) float64 {
	switch id {
	case KL:
		return noise / 2
	case JS:
		return noise / (8 * math.Ln2)
	case Hellinger:
		return noise / 8
	default:
		return noise
	}
}

// isRoot reports whether the measure is the root of a sum over cells, isSum
// whether it or its square is chi-square at the null.
func isRoot(id ID) bool { return id == JS || id == Hellinger }
func isSum(id ID) bool  { return id != TVD && id != LInfinity }

// asymptotic judges a sum over cells by the chi-square distribution.
func (t two) asymptotic(id ID, o Options) Result {
	r := Result{Measure: id, Value: value(id, t.p, t.q, t.n, t.m), Method: Asymptotic}
	scale := unit(id, t.noise()) * o.Overdispersion
	k := t.freedom()
	r.Statistic, r.NullMean = t.statistic(id, r.Value), scale*k
	if isRoot(id) {
		// The mean of the root of chi-square.
		a, _ := math.Lgamma((k + 1) / 2)
		b, _ := math.Lgamma(k / 2)
		r.NullMean = math.Sqrt(2*scale) * math.Exp(a-b)
	}
	r.P = chiSquareTail(squared(id, r.Value)/scale, k)
	if !o.PValueOnly {
		r.Low, r.High = t.invert(id, r.Value, scale, 1, o)
	}
	return r.judged(o)
}

// statistic is what the textbooks test.
func (t two) statistic(id ID, v float64) float64 {
	if id == ChiSquare {
		return v / t.noise()
	}
	return v
}

func squared(id ID, v float64) float64 {
	if isRoot(id) {
		return v * v
	}
	return v
}

// invert returns the interval of the true distance from the noncentral
// chi-square distribution, scale being the unit of the measure's square and
// stretch how many times the null is wider than that distribution.
func (t two) invert(id ID, v, scale, stretch float64, o Options) (low, high float64) {
	k := t.freedom()
	v = squared(id, v)
	a, b := noncentralities(v/scale, k, o.Confidence)
	centre := max(0, v-scale*k)
	widen := max(stretch, t.widening(id, v, scale/unit(id, t.noise())))
	low, high = centre-(centre-a*scale)*widen, centre+(b*scale-centre)*widen
	low, high = max(0, min(low, a*scale)), max(high, b*scale)
	if isRoot(id) {
		return math.Sqrt(low), math.Sqrt(high)
	}
	return low, high
}

// widening is how many times the spread of an estimate as far from the null as v
// exceeds the noncentral chi-square's, which holds near the null: the standard
// deviation by the delta method over 2 sqrt(v unit). At least 1.
func (t two) widening(id ID, v, dispersion float64) float64 {
	variance := t.deltaVariance(id) * dispersion
	local := 4 * v * unit(id, t.noise()) * dispersion
	if !(local > 0) || math.IsInf(variance, 0) || math.IsNaN(variance) {
		return 1
	}
	return max(1, math.Sqrt(variance/local))
}

// deltaVariance is the variance of the measure, or of its square, by its
// derivatives in the shares of each sample.
func (t two) deltaVariance(id ID) float64 {
	var p, p2, q, q2 float64
	for i := range t.p {
		x, y := max(t.p[i], 0.5), max(t.q[i], 0.5)
		const h = 1e-4
		dx := (term(id, x*(1+h), y, t.n, t.m) - term(id, x*(1-h), y, t.n, t.m)) / (2 * h * x / t.n)
		dy := (term(id, x, y*(1+h), t.n, t.m) - term(id, x, y*(1-h), t.n, t.m)) / (2 * h * y / t.m)
		p += x / t.n * dx
		p2 += x / t.n * dx * dx
		q += y / t.m * dy
		q2 += y / t.m * dy * dy
	}
	return max(0, p2-p*p)/t.n + max(0, q2-q*q)/t.m
}

// simulate judges the measures ids[i] for every i of which, by the null given
// the pooled counts.
func (t two) simulate(ids []ID, which []int, o Options, results []Result) {
	if len(which) == 0 {
		return
	}
	stats := make([]statistic, len(which))
	observed := make([]uint64, len(t.p))
	for i, x := range t.p {
		observed[i] = uint64(x)
	}
	for j, i := range which {
		id := ids[i]
		v := value(id, t.p, t.q, t.n, t.m)
		results[i] = Result{Measure: id, Value: v, Statistic: t.statistic(id, v)}
		of := t.splits(id)
		stats[j] = statistic{observed: of(observed) / inflation(id, o), norm: !isSum(id) || isRoot(id), of: of}
	}
	nulls, method := judge(t.pooled, uint64(t.n), observed[0], o, stats)
	for j, i := range which {
		results[i].Method = method
		results[i] = t.fromNull(results[i], nulls[j], o)
	}
}

// inflation is how many times as great noise is because of overdispersion, in
// the measure's unit.
func inflation(id ID, o Options) float64 {
	if isSum(id) && !isRoot(id) {
		return o.Overdispersion
	}
	return math.Sqrt(o.Overdispersion)
}

func (t two) fromNull(r Result, n null, o Options) Result {
	inflate := inflation(r.Measure, o)
	r.P, r.NullMean = n.p, n.mean*inflate
	if !isSum(r.Measure) {
		reach := n.quantile * inflate
		r.Low, r.High = r.Value-reach, r.Value+reach
		return r.judged(o)
	}
	if o.PValueOnly {
		return r.judged(o)
	}
	scale := unit(r.Measure, t.noise()) * o.Overdispersion
	// Sparse counts stretch the null: match its mean.
	mean := r.NullMean
	if isRoot(r.Measure) {
		mean = n.square * o.Overdispersion
	}
	scale = max(scale, mean/t.freedom())
	stretch := 1.0
	if sd := math.Sqrt(max(0, n.square-n.mean*n.mean)); !isRoot(r.Measure) {
		stretch = max(1, sd*inflate/(scale*math.Sqrt(2*t.freedom())))
	}
	r.Low, r.High = t.invert(r.Measure, r.Value, scale, stretch, o)
	return r.judged(o)
}
