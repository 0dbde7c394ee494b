package measure

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	// leastDraws are always made, so that the mean of the null is known to a
	// fourteenth of its standard deviation.
	leastDraws = 199
	// mostDraws end a simulation.
	mostDraws = 1999
	// enoughBeyond draws at or beyond the value end a simulation earlier: the
	// p-value is then known to a fifth (Besag & Clifford 1991).
	enoughBeyond = 25
	// fewBeyond is the number of draws beyond the value under which the p-value
	// comes from the fitted tail (as Knijnenburg et al. 2009 do).
	fewBeyond = 10
	// hopeless is the fitted p-value from which more draws would tell nothing.
	hopeless = 1e-6
	// normalVariance is the variance of a hypergeometric count from which it is
	// drawn as a rounded normal one.
	normalVariance = 100
)

// statistic is a function of one split of the pooled counts.
type statistic struct {
	// observed is its value in the samples, without the overdispersion.
	observed float64
	// of returns its value if the reference holds x of each pooled count.
	of func(x []uint64) float64
	// norm says that its square is what has the tail of a gamma distribution.
	norm bool
}

// null is what the simulation or enumeration says of one statistic.
type null struct {
	p, mean float64
	// quantile is the value that noise exceeds with probability 1-confidence.
	quantile float64
	draws    int
}

// seeds is the second word of every seed.
const seeds = 0x706c756d62

// fewSplits is the variance of a count up to which all splits of two pooled
// counts are gone through: some thousands that are not impossible.
const fewSplits = 2500

// judge returns the nulls of the statistics given the pooled counts, of which n
// events are the reference's.
func judge(pooled []uint64, n uint64, o Options, stats []statistic) ([]null, Method) {
	if len(pooled) == 2 {
		if h := newHypergeometric(pooled[0], n, pooled[0]+pooled[1]); h.variance <= fewSplits {
			return enumerate(pooled, n, o.Confidence, stats), Exact
		}
	}
	return simulate(pooled, n, o.Seed, o.Confidence, stats), Simulated
}

// simulate draws splits of the pooled counts into samples of n and the rest, all
// orders of the events being equally likely, until every statistic has its
// p-value. The draws follow from the seed, the pooled counts and n alone: they
// repeat, they know nothing of the split that was observed, and the chance error
// of one comparison is not that of the next.
func simulate(pooled []uint64, n uint64, seed uint64, confidence float64, stats []statistic) []null {
	s := splitter{pooled: pooled, n: n, x: make([]uint64, len(pooled))}
	s.r = rand.New(rand.NewPCG(seed^fingerprint(pooled, n), seeds))
	for _, t := range pooled {
		s.total += t
	}
	s.logs = lnFactorials(s.total)
	runs := make([]run, len(stats))
	for draws, open := 1, true; open && draws <= mostDraws; draws++ {
		s.draw()
		open = false
		for i := range runs {
			if !runs[i].done {
				runs[i].add(stats[i], stats[i].of(s.x))
				open = open || !runs[i].done
			}
		}
	}
	nulls := make([]null, len(stats))
	for i := range runs {
		nulls[i] = runs[i].null(stats[i], confidence)
	}
	return nulls
}

// fingerprint is the FNV-1a hash of the counts, a word at a time.
func fingerprint(pooled []uint64, n uint64) uint64 {
	const prime = 1099511628211
	h := (uint64(14695981039346656037) ^ n) * prime
	for _, t := range pooled {
		h = (h ^ t) * prime
	}
	return h
}

// run is the simulation of one statistic.
type run struct {
	values         []float64
	beyond, equals int
	done           bool
}

// tie is how close two values must be, relative, to be one: what the order of
// additions can change.
const tie = 1e-10

func (r *run) add(s statistic, v float64) {
	r.values = append(r.values, v)
	switch {
	case math.Abs(v-s.observed) <= tie*math.Abs(s.observed):
		r.equals++
	case v > s.observed:
		r.beyond++
	}
	if len(r.values) < leastDraws {
		return
	}
	reached := r.beyond + r.equals
	r.done = reached >= enoughBeyond || len(r.values) == mostDraws ||
		len(r.values) == leastDraws && reached == 0 && r.tail(s) < hopeless
}

// tail returns the p-value by the gamma distribution fitted to the draws.
func (r *run) tail(s statistic) float64 {
	if !s.norm {
		return fitPearson(r.values).tail(s.observed)
	}
	squares := make([]float64, len(r.values))
	for i, v := range r.values {
		squares[i] = v * v
	}
	return fitPearson(squares).tail(s.observed * s.observed)
}

func (r *run) null(s statistic, confidence float64) null {
	n := float64(len(r.values))
	reached := float64(r.beyond) + float64(r.equals)/2
	out := null{p: (reached + 0.5) / (n + 1), mean: fitPearson(r.values).mean, draws: len(r.values)}
	if r.beyond+r.equals < fewBeyond {
		out.p = min((float64(r.beyond+r.equals)+1)/(n+1), r.tail(s))
	}
	slices.Sort(r.values)
	out.quantile = r.values[min(len(r.values)-1, int(confidence*(n+1)))]
	return out
}

// splitter draws splits of pooled counts.
type splitter struct {
	r        *rand.Rand
	pooled   []uint64
	n, total uint64
	x        []uint64
	logs     []float64
}

// draw fills x with the reference's part of each pooled count.
func (s *splitter) draw() {
	left, rest := s.n, s.total
	for i, t := range s.pooled {
		s.x[i] = s.part(t, left, rest)
		left -= s.x[i]
		rest -= t
	}
}

// part returns how many of t events fall among the n of total that make the
// reference.
func (s *splitter) part(t, n, total uint64) uint64 {
	switch {
	case t == 0 || n == 0:
		return 0
	case t == total:
		return n
	case n == total:
		return t
	case t <= 12:
		return s.byEvent(t, n, total)
	}
	h := newHypergeometric(t, n, total)
	if h.variance >= normalVariance {
		v := math.Round(h.mean + math.Sqrt(h.variance)*s.r.NormFloat64())
		return uint64(min(max(v, h.least), h.most))
	}
	h.logs = s.logs
	return h.invert(s.r.Float64())
}

func (s *splitter) byEvent(t, n, total uint64) uint64 {
	var x uint64
	for range t {
		if s.r.Uint64N(total) < n {
			x++
			n--
		}
		total--
	}
	return x
}

// hypergeometric is the distribution of the number of t events that fall among
// the n of total.
type hypergeometric struct {
	t, n, total, mean, variance, least, most float64
	logs                                     []float64 // of small factorials; may be nil
}

func newHypergeometric(t, n, total uint64) hypergeometric {
	h := hypergeometric{t: float64(t), n: float64(n), total: float64(total)}
	share := h.n / h.total
	h.mean = h.t * share
	h.variance = h.mean * (1 - share) * (h.total - h.t) / (h.total - 1)
	h.least = max(0, h.t+h.n-h.total)
	h.most = min(h.t, h.n)
	return h
}

// at returns the probability of x.
func (h hypergeometric) at(x float64) float64 {
	return math.Exp(h.lnChoose(h.t, x) + h.lnChoose(h.total-h.t, h.n-x) - h.lnChoose(h.total, h.n))
}

func (h hypergeometric) lnChoose(n, k float64) float64 {
	return h.lnFactorial(n) - h.lnFactorial(k) - h.lnFactorial(n-k)
}

func (h hypergeometric) lnFactorial(n float64) float64 {
	if n < float64(len(h.logs)) {
		return h.logs[int(n)]
	}
	if n < 10 {
		g, _ := math.Lgamma(n + 1)
		return g
	}
	return (n+0.5)*math.Log(n) - n + 0.91893853320467274178 + stirling(n)
}

// lnFactorials returns ln 0! to at most ln 4095!, and none above the total.
func lnFactorials(total uint64) []float64 {
	logs := make([]float64, min(total+1, 4096))
	for i := 1; i < len(logs); i++ {
		logs[i] = logs[i-1] + math.Log(float64(i))
	}
	return logs
}

// up returns the ratio of the probability of x+1 to that of x.
func (h hypergeometric) up(x float64) float64 {
	return (h.t - x) * (h.n - x) / ((x + 1) * (h.total - h.t - h.n + x + 1))
}

// mode returns the most probable count.
func (h hypergeometric) mode() float64 {
	return min(max(math.Floor((h.t+1)*(h.n+1)/(h.total+2)), h.least), h.most)
}

// invert returns the count at which u is used up, taking probabilities outwards
// from the mode, which needs the fewest steps.
func (h hypergeometric) invert(u float64) uint64 {
	mode := h.mode()
	low, high := mode, mode
	pl := h.at(mode)
	ph := pl
	for u -= pl; u > 0; {
		moved := false
		if high < h.most {
			ph *= h.up(high)
			high++
			if u -= ph; u <= 0 {
				return uint64(high)
			}
			moved = ph > 0
		}
		if low > h.least {
			pl /= h.up(low - 1)
			low--
			if u -= pl; u <= 0 {
				return uint64(low)
			}
			moved = moved || pl > 0
		}
		if !moved {
			break
		}
	}
	return uint64(mode)
}

// enumerate goes through every split of two pooled counts that is not
// impossible to ten digits.
func enumerate(pooled []uint64, n uint64, confidence float64, stats []statistic) []null {
	h := newHypergeometric(pooled[0], n, pooled[0]+pooled[1])
	splits, weights := h.list()
	nulls := make([]null, len(stats))
	for i, s := range stats {
		values := make([]float64, len(splits))
		for j, k := range splits {
			v := s.of([]uint64{k, n - k})
			switch {
			case math.Abs(v-s.observed) <= tie*math.Abs(s.observed):
				nulls[i].p += weights[j] / 2
			case v > s.observed:
				nulls[i].p += weights[j]
			}
			nulls[i].mean += weights[j] * v
			values[j] = v
		}
		nulls[i].p = min(nulls[i].p, 1)
		nulls[i].quantile = weightedQuantile(values, weights, confidence)
	}
	return nulls
}

// list returns the counts and their probabilities, outwards from the mode until
// they vanish.
func (h hypergeometric) list() (counts []uint64, weights []float64) {
	const vanishing = 1e-300
	mode := h.mode()
	for k, p := mode, h.at(mode); k <= h.most && p > vanishing; k++ {
		counts, weights = append(counts, uint64(k)), append(weights, p)
		p *= h.up(k)
	}
	for k, p := mode, h.at(mode); k > h.least; k-- {
		if p /= h.up(k - 1); p <= vanishing {
			break
		}
		counts, weights = append(counts, uint64(k-1)), append(weights, p)
	}
	return counts, weights
}

// weightedQuantile returns the least value up to which the weights add up to q.
func weightedQuantile(values, weights []float64, q float64) float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	sum := 0.0
	for _, i := range order {
		if sum += weights[i]; sum >= q {
			return values[i]
		}
	}
	return values[order[len(order)-1]]
}
