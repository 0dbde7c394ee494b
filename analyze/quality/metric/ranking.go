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
func (r *Ranking) Add(relevance []float64) {
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
		r.bare++
		return
	}
	r.queries++
	r.gain.Add(r.discounted(relevance) / r.discounted(ideal))
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
	r.average.Add(sum / float64(min(relevant, r.k)))
	r.rank.Add(1 / float64(first))
	if first <= r.k {
		r.hits++
	}
}

func (r *Ranking) discounted(relevance []float64) float64 {
	sum := 0.0
	for i, x := range relevance[:min(r.k, len(relevance))] {
		sum += x / math.Log2(float64(i+2))
	}
	return sum
}

// Bare is the number of queries without a relevant result.
func (r *Ranking) Bare() int64 { return r.bare }

// Values returns NDCG@k, MAP@k, MRR and hit rate@k.
func (r *Ranking) Values() []Value {
	hit := judge(HitRate, ratio(float64(r.hits), float64(r.queries)), seen{Labelled: r.queries}, func() Interval { return Wilson(r.hits, r.queries) })
	return []Value{r.gain.Mean(NDCG), r.average.Mean(MAP), r.rank.Mean(MRR), hit}
}
