package measure

import (
	"cmp"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

const (
	// leastDraws are always made, so that the mean of the null is known to a
	// tenth of its standard deviation.
	leastDraws = 99
	// plainDraws end a simulation of p-values only if plainBeyond of them are at
	// or beyond the value: a p-value of 0.1 has that chance once in 65,
	// one of 0.05 once in 8,000.
	plainDraws, plainBeyond = 40, 9
	// mostDraws end a simulation.
	mostDraws = 999
	// enoughBeyond draws at or beyond the value end a simulation earlier: the
	// p-value is then known to a fifth (Besag & Clifford 1991).
	enoughBeyond = 25
	// fewBeyond is the number of draws beyond the value under which the p-value
	// comes from the fitted tail (as Knijnenburg et al. 2009 do).
	fewBeyond = 10
	// hopeless is the fitted p-value from which more draws would tell nothing.
	hopeless = 1e-6
	// atMostTimes is how many times its nominal level a test with ties may reach:
	// mid-p alone can take half of a great tie too much.
	atMostTimes = 1.05
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
	// square is the mean of the square.
	square float64
	// quantile is the value that noise exceeds with probability 1-confidence.
	quantile float64
	draws    int
}

// seeds is the second word of every seed.
const seeds = 0x706c756d62

// fewSplits is the variance of a count up to which all splits of two pooled
// counts are gone through: some hundreds that are not impossible.
const fewSplits = 400

// judge returns the nulls of the statistics given the pooled counts, of which n
// events are the reference's, first of them in the first cell.
func judge(pooled []uint64, n, first uint64, o Options, stats []statistic) ([]null, Method) {
	if len(pooled) == 2 {
		if h := newHypergeometric(pooled[0], n, pooled[0]+pooled[1]); h.variance <= fewSplits {
			return enumerate(pooled, n, first, o.Confidence, stats), Exact
		}
	}
	return simulate(pooled, n, o, stats), Simulated
}

// simulate draws splits of the pooled counts into samples of n and the rest, all
// orders of the events being equally likely, until every statistic has its
// p-value. The draws follow from the seed, the pooled counts and n alone: they
// repeat, they know nothing of the split that was observed, and the chance error
// of one comparison is not that of the next.
func simulate(pooled []uint64, n uint64, o Options, stats []statistic) []null {
	print := fingerprint(pooled, n)
	s := newSplitter(rand.New(rand.NewPCG(o.Seed^print, bits.ReverseBytes64(print)^seeds)), pooled, n)
	runs := make([]run, len(stats))
	for i := range runs {
		runs[i].plain = o.PValueOnly
	}
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
		nulls[i] = runs[i].null(stats[i], o.Confidence)
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
	done, plain    bool
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
	if r.plain && len(r.values) == plainDraws && r.beyond+r.equals >= plainBeyond {
		r.done = true
		return
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
	mid, atLeast := float64(r.beyond)+float64(r.equals)/2, float64(r.beyond+r.equals)
	if r.beyond+r.equals == enoughBeyond {
		// Ended by the last of them: their share is the p-value.
		mid, atLeast = mid/n, atLeast/n
	} else {
		// The observed split is one more of those that are equally likely.
		mid, atLeast = (mid+0.5)/(n+1), (atLeast+1)/(n+1)
	}
	fit := fitPearson(r.values)
	out := null{p: max(mid, atLeast/atMostTimes), mean: fit.mean, square: fit.mean*fit.mean + fit.sd*fit.sd, draws: len(r.values)}
	if r.beyond+r.equals < fewBeyond {
		out.p = min(atLeast, r.tail(s))
	}
	slices.Sort(r.values)
	out.quantile = r.values[min(len(r.values)-1, int(confidence*(n+1)))]
	return out
}

// enumerate goes through every split of two pooled counts that is not
// impossible to sixteen digits, or as far out as the one that was observed.
func enumerate(pooled []uint64, n, observed uint64, confidence float64, stats []statistic) []null {
	h := newHypergeometric(pooled[0], n, pooled[0]+pooled[1])
	splits, weights := h.list(float64(observed))
	nulls := make([]null, len(stats))
	values := make([]float64, len(splits))
	for i, s := range stats {
		var beyond, equal float64
		for j, k := range splits {
			v := s.of([]uint64{k, n - k})
			switch {
			case math.Abs(v-s.observed) <= tie*math.Abs(s.observed):
				equal += weights[j]
			case v > s.observed:
				beyond += weights[j]
			}
			nulls[i].mean += weights[j] * v
			nulls[i].square += weights[j] * v * v
			values[j] = v
		}
		nulls[i].p = min(1, max(beyond+equal/2, (beyond+equal)/atMostTimes))
		nulls[i].quantile = weightedQuantile(values, weights, confidence)
	}
	return nulls
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
