package metric

import (
	"fmt"
	"math"
	"slices"
)

// Ranking collects queries whose results were labelled.
type Ranking struct {
	k                   int
	gain, average, rank Moments
	hits, queries, bare int64
	squares             float64 // of the weights of queries
}

// NewRanking judges the first k >= 1 results of each query.
func NewRanking(k int) (*Ranking, error) {
	if k < 1 {
		return nil, fmt.Errorf("judge the first %d results: at least 1", k)
	}
	return &Ranking{k: k}, nil
}

// Add counts one query by the relevance of its results in the order in which
// the model showed them: 0 is not relevant, and NDCG takes the rest as gain. The
// list must hold every labelled result, not only the first k, for what was
// relevant and not shown counts against the model. A query without a relevant
// result has no ideal order: it is counted apart, and in no metric.
func (r *Ranking) Add(relevance []float64) { r.AddTimes(relevance, 1) }

// AddTimes counts one query as often as its weight says: where a producer samples,
// it stands for several. Intervals are those of the effective number of queries.
func (r *Ranking) AddTimes(relevance []float64, times int64) {
	ideal := slices.Clone(relevance)
	slices.SortFunc(ideal, func(a, b float64) int {
		switch {
		case a > b:
			return -1
		case a < b:
			return 1
		}
		return 0
	})
	if len(ideal) == 0 || ideal[0] <= 0 {
		r.bare += times
		return
	}
	r.queries += times
	r.squares += square(float64(times))
	r.gain.AddTimes(r.discounted(relevance)/r.discounted(ideal), times)
	relevant, sum, first := 0, 0.0, 0
	for i, x := range relevance {
		if x <= 0 {
			continue
		}
		relevant++
		if first == 0 {
			first = i + 1
		}
		if i < r.k {
			sum += float64(relevant) / float64(i+1)
		}
	}
	r.average.AddTimes(sum/float64(min(relevant, r.k)), times)
	r.rank.AddTimes(1/float64(first), times)
	if first <= r.k {
		r.hits += times
	}
}

func (r *Ranking) discounted(relevance []float64) float64 {
	sum := 0.0
	for i, x := range relevance[:min(r.k, len(relevance))] {
		sum += x / math.Log2(float64(i+2))
	}
	return sum
}

// Bare is the number of queries without a relevant result, by their weights.
func (r *Ranking) Bare() int64 { return r.bare }

// Values returns NDCG@k, MAP@k, MRR and hit rate@k.
func (r *Ranking) Values() []Value {
	thin, n := ThinningOf(float64(r.queries), r.squares), r.queries
	hit := judgeAt(HitRate, ratio(float64(r.hits), float64(n)), seen{Labelled: n}, thin, func() Interval { return thin.wilson(r.hits, n) })
	return []Value{r.gain.MeanAt(NDCG, n, n, thin), r.average.MeanAt(MAP, n, n, thin), r.rank.MeanAt(MRR, n, n, thin), hit}
}
