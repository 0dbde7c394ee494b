package measure

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/plumbline-slo/plumbline/storage/grid"
)

// Histogram holds counts by bucket of grid.Full. Buckets are sorted and
// distinct, Counts has one entry for each.
type Histogram struct {
	Buckets []int32
	Counts  []uint64
}

func (h Histogram) validate() error {
	if len(h.Buckets) != len(h.Counts) {
		return fmt.Errorf("histogram of %d buckets and %d counts", len(h.Buckets), len(h.Counts))
	}
	for i := 1; i < len(h.Buckets); i++ {
		if h.Buckets[i-1] >= h.Buckets[i] {
			return fmt.Errorf("histogram with bucket %d after %d", h.Buckets[i], h.Buckets[i-1])
		}
	}
	return nil
}

// Numbers are two samples of finite numbers on the grid.
type Numbers struct{ Reference, Current Histogram }

const (
	// fewBuckets is the number of occupied buckets up to which the null is
	// simulated on all of them: with so many ties the limit distributions are
	// too cautious.
	fewBuckets = 128
	// stations is the number of edges at which the null of the Wasserstein
	// distance is simulated where there are more buckets, and that of KS where
	// one of them is an atom.
	stations = 64
	// atom is the share of one bucket from which the limits of KS and Cramér-von
	// Mises, which know no ties, do not serve.
	atom = 0.02
)

// Compare returns the results of the measures in the order asked for, all
// measures on the grid if none is named. It returns an error if a histogram is
// not in order, the options are not valid, or a measure is one on cells.
func (n Numbers) Compare(o Options, ids ...ID) ([]Result, error) {
	if err := errors.Join(n.Reference.validate(), n.Current.validate(), o.Validate()); err != nil {
		return nil, fmt.Errorf("compare numbers: %w", err)
	}
	ids, err := chosen(ids, false)
	if err != nil {
		return nil, err
	}
	g := newGaps(n, slices.ContainsFunc(ids, isLength))
	results := make([]Result, len(ids))
	few := len(g.pooled) <= fewBuckets
	atoms := float64(largest(g.pooled)) > atom*(g.n+g.m)
	var simulated []int
	for i, id := range ids {
		switch {
		case g.n == 0 || g.m == 0, id == WassersteinScale && g.sd == 0:
			results[i] = undefined(id, o)
		case len(g.pooled) == 1:
			results[i] = Result{Measure: id, Bound: g.bound(id), P: 1, Method: Exact}.judged(o)
		case !few && id == KS && !atoms:
			results[i] = g.kolmogorov(o)
		case !few && id == CramerVonMises:
			results[i] = g.cramer(o, atoms)
		default:
			simulated = append(simulated, i)
		}
	}
	g.simulate(ids, simulated, o, results)
	return results, nil
}

func largest(counts []uint64) uint64 {
	var most uint64
	for _, c := range counts {
		most = max(most, c)
	}
	return most
}

// isLength reports whether a measure knows how far apart buckets lie.
func isLength(id ID) bool { return id == Wasserstein || id == WassersteinScale }

// gaps are two samples in the buckets that at least one of them fills, in
// order.
type gaps struct {
	pooled []uint64
	p, q   []float64 // counts
	n, m   float64
	// What follows is for measures that are lengths.
	at     []float64 // the middle of each bucket
	sd     float64   // of the reference
	rms    float64   // root mean square of the reference
	fourth float64   // central moment of the reference, of its sd
}

// newGaps puts two samples side by side; where the buckets lie is only found if
// lengths are asked for.
func newGaps(s Numbers, lengths bool) gaps {
	r, c := s.Reference, s.Current
	most := r.filled(c)
	counts := make([]float64, 2*most)
	g := gaps{pooled: make([]uint64, 0, most), p: counts[:0:most], q: counts[most:most]}
	if lengths {
		g.at = make([]float64, 0, most)
	}
	for i, j := 0, 0; i < len(r.Buckets) || j < len(c.Buckets); {
		var x, y uint64
		b := int32(math.MaxInt32)
		if i < len(r.Buckets) {
			b = r.Buckets[i]
		}
		if j < len(c.Buckets) {
			b = min(b, c.Buckets[j])
		}
		if i < len(r.Buckets) && r.Buckets[i] == b {
			x = r.Counts[i]
			i++
		}
		if j < len(c.Buckets) && c.Buckets[j] == b {
			y = c.Counts[j]
			j++
		}
		if x+y == 0 {
			continue
		}
		if lengths {
			g.at = append(g.at, middle(b))
		}
		g.pooled = append(g.pooled, x+y)
		g.p, g.q = append(g.p, float64(x)), append(g.q, float64(y))
		g.n += float64(x)
		g.m += float64(y)
	}
	if lengths {
		g.moments()
	}
	return g
}

// filled is how many buckets two histograms have together.
func (h Histogram) filled(other Histogram) int {
	shared, j := 0, 0
	for _, b := range h.Buckets {
		for j < len(other.Buckets) && other.Buckets[j] < b {
			j++
		}
		if j < len(other.Buckets) && other.Buckets[j] == b {
			shared++
		}
	}
	return len(h.Buckets) + len(other.Buckets) - shared
}

// moments are those of the reference.
func (g *gaps) moments() {
	var mean, square, second float64
	for i, c := range g.p {
		mean += c / g.n * g.at[i]
		second += c / g.n * g.at[i] * g.at[i]
	}
	for i, c := range g.p {
		square += c / g.n * (g.at[i] - mean) * (g.at[i] - mean)
	}
	g.sd, g.rms = math.Sqrt(square), math.Sqrt(second)
	for i, c := range g.p {
		d := (g.at[i] - mean) / g.sd
		g.fourth += c / g.n * d * d * d * d
	}
}

// scaleError is how far the reference's standard deviation may lie from the true
// one, relative, at the confidence: its standard error is the root of (kurtosis -
// 1) / 4n by the delta method.
func (g gaps) scaleError(o Options) float64 {
	z := math.Sqrt2 * math.Erfinv(o.Confidence)
	return z * math.Sqrt(max(0, g.fourth-1)/(4*g.n)*o.Overdispersion)
}

// middle is the value that stands for a bucket: none of its values lies further
// from it than 2^-9 of itself.
func middle(b int32) float64 {
	at, beyond, back := grid.Lower(b), grid.Lower(b+1), grid.Lower(b-1)
	if b < 0 {
		beyond, back = back, beyond
	}
	if math.IsInf(beyond, 0) {
		return at + (at-back)/2
	}
	return at + (beyond-at)/2
}

// distances returns KS, Cramér-von Mises and Wasserstein if the reference holds
// counts p and the current sample counts q of the buckets. Gaps are taken at the
// upper edges of the buckets.
func (g gaps) distances(id ID, count func(i int) (p, q float64)) float64 {
	var x, y, out float64
	for i := range g.pooled {
		p, q := count(i)
		x += p
		y += q
		gap := math.Abs(x/g.n - y/g.m)
		switch id {
		case KS:
			out = max(out, gap)
		case CramerVonMises:
			out += gap * gap * (float64(g.pooled[i]) / (g.n + g.m))
		case Wasserstein, WassersteinScale:
			if i+1 < len(g.at) {
				out += gap * (g.at[i+1] - g.at[i])
			}
		}
	}
	switch id {
	case CramerVonMises:
		return math.Sqrt(out)
	case WassersteinScale:
		return out / g.sd
	default:
		return out
	}
}

func (g gaps) value(id ID) float64 {
	if id == KS {
		value, _ := g.kolmogorovGap()
		return value
	}
	return g.distances(id, func(i int) (float64, float64) { return g.p[i], g.q[i] })
}

// bound is how far the value may lie from the one of the raw values.
func (g gaps) bound(id ID) float64 {
	switch id {
	case KS:
		_, bound := g.kolmogorovGap()
		return bound
	case CramerVonMises:
		sum := 0.0
		for i, c := range g.pooled {
			most := max(g.p[i]/g.n, g.q[i]/g.m)
			sum += float64(c) / (g.n + g.m) * most * most
		}
		return math.Sqrt(sum)
	default:
		return g.wassersteinBound(id)
	}
}

// kolmogorovGap returns KS and how much greater the gap can be inside a bucket:
// at most when one sample comes wholly before the other there. It is never more
// than the largest bucket's share.
func (g gaps) kolmogorovGap() (value, bound float64) {
	var x, y, beforeX, beforeY, most float64
	for i, p := range g.p {
		x += p
		y += g.q[i]
		afterX, afterY := x/g.n, y/g.m
		if gap := math.Abs(afterX - afterY); gap > value {
			value = gap
		}
		if inside := afterX - beforeY; inside > most {
			most = inside
		}
		if inside := afterY - beforeX; inside > most {
			most = inside
		}
		beforeX, beforeY = afterX, afterY
	}
	return value, max(0, most-value)
}

// halfWidth is half the relative width of a bucket.
const halfWidth = 1.0 / 512

func (g gaps) wassersteinBound(id ID) float64 {
	sum := 0.0
	for i, at := range g.at {
		sum += math.Abs(at) * (g.p[i]/g.n + g.q[i]/g.m)
	}
	sum *= halfWidth
	if id == Wasserstein {
		return sum
	}
	// The standard deviation is rounded, too.
	off := halfWidth * g.rms
	if off >= g.sd {
		return math.Inf(1)
	}
	return (sum + g.value(WassersteinScale)*off) / (g.sd - off)
}

// simulate judges ids[i] for every i of which given the pooled counts: on all
// buckets where there are few, else at stations of each kind of measure.
func (g gaps) simulate(ids []ID, which []int, o Options, results []Result) {
	if len(g.pooled) <= fewBuckets {
		g.on(g.pooled, ids, which, o, results, func(id ID, x []uint64) float64 {
			return g.distances(id, func(k int) (float64, float64) { return float64(x[k]), float64(g.pooled[k] - x[k]) })
		})
		return
	}
	var gaps, widths []int
	for _, i := range which {
		if ids[i] == KS {
			gaps = append(gaps, i)
		} else {
			widths = append(widths, i)
		}
	}
	if len(gaps) > 0 {
		line := g.posts()
		pooled := g.between(line)
		g.on(pooled, ids, gaps, o, results, func(_ ID, x []uint64) float64 { return g.greatest(line, pooled, x) })
	}
	if len(widths) > 0 {
		line := g.stations()
		pooled := g.between(line)
		g.on(pooled, ids, widths, o, results, func(id ID, x []uint64) float64 { return g.along(id, line, pooled, x) })
	}
}

// on judges ids[i] for every i of which by splits of the pooled counts, value
// being the distance of a split.
func (g gaps) on(pooled []uint64, ids []ID, which []int, o Options, results []Result, value func(ID, []uint64) float64) {
	if len(which) == 0 {
		return
	}
	inflate := math.Sqrt(o.Overdispersion)
	stats := make([]statistic, len(which))
	for j, i := range which {
		id := ids[i]
		r := Result{Measure: id, Value: g.value(id), Bound: g.bound(id)}
		r.Statistic = r.Value
		if id == CramerVonMises {
			r.Statistic = r.Value * r.Value * g.n * g.m / (g.n + g.m)
		}
		results[i] = r
		stats[j] = statistic{observed: r.Value / inflate, norm: true, of: func(x []uint64) float64 { return value(id, x) }}
	}
	nulls, method := judge(pooled, uint64(g.n), uint64(g.p[0]), o, stats)
	for j, null := range nulls {
		r := results[which[j]]
		r.Method, r.P, r.NullMean = method, null.p, null.mean*inflate
		reach := null.quantile * inflate
		if r.Measure == WassersteinScale {
			reach += r.Value * g.scaleError(o)
		}
		r.Low, r.High = r.Value-reach, r.Value+reach
		results[which[j]] = r.judged(o)
	}
}
