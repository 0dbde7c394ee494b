package measure

import (
	"math"
	"sort"
)

// station is an edge that stands for a run of edges in the null.
type station struct {
	bucket int // the edge is above this bucket
	// weight is, for Wasserstein, what the gap here counts: the widths of the
	// run, each scaled by its spread over the spread here. For KS it is what the
	// gap is short of the greatest in the run.
	weight float64
}

// stations cuts the edges into runs of equal contribution to the null mean of
// the Wasserstein distance, each represented at its median. The null mean itself
// is kept.
func (g gaps) stations() []station {
	spread, sums := make([]float64, len(g.pooled)-1), make([]float64, len(g.pooled))
	var below float64
	for i := range spread {
		below += float64(g.pooled[i])
		share := below / (g.n + g.m)
		spread[i] = math.Sqrt(share * (1 - share))
		sums[i+1] = sums[i] + spread[i]*(g.at[i+1]-g.at[i])
	}
	var line []station
	last := len(spread) - 1
	upTo := func(sum float64) int { return sort.SearchFloat64s(sums[1:], sum) }
	for from := 0; from <= last; {
		start := sums[from]
		to := min(last, max(from, upTo(start+sums[last+1]/stations)))
		at := min(to, max(from, upTo((start+sums[to+1])/2)))
		line = append(line, station{bucket: at, weight: (sums[to+1] - start) / spread[at]})
		from = to + 1
	}
	return line
}

// overshoot is what the maximum of a random walk is short of that of the
// Brownian motion it is seen from, in standard deviations of a step:
// -zeta(1/2)/sqrt(2 pi) (Siegmund 1979; Broadie, Glasserman & Kou 1997).
const overshoot = 0.5826

// posts cuts the buckets into runs of equal mass, with edges on both sides of
// every bucket that has more. What the greatest gap in a run exceeds those at
// its ends by is added to them, half from each side.
func (g gaps) posts() []station {
	total := g.n + g.m
	noise := math.Sqrt(1/g.n + 1/g.m)
	var line []station
	var run, fine, before float64 // mass of the run, mean of the root of its steps, what the run before is short of
	closed := func(i int) {
		short := 0.0
		if run > 0 {
			short = max(0, math.Sqrt(run)-fine/run) * overshoot * noise / 2
		}
		if len(line) > 0 {
			line[len(line)-1].weight = before + short
		}
		line, before = append(line, station{bucket: i}), short
		run, fine = 0, 0
	}
	for i, c := range g.pooled {
		share := float64(c) / total
		if share >= 1.0/stations {
			if run > 0 {
				closed(i - 1)
			}
			closed(i)
			continue
		}
		run += share
		fine += share * math.Sqrt(share)
		if run >= 1.0/stations || i == len(g.pooled)-1 {
			closed(i)
		}
	}
	return line[:len(line)-1]
}

// between returns the pooled counts up to each station and those above the last.
func (g gaps) between(line []station) []uint64 {
	counts := make([]uint64, len(line)+1)
	next := 0
	for i, c := range g.pooled {
		counts[next] += c
		if next < len(line) && i == line[next].bucket {
			next++
		}
	}
	return counts
}

// along is the Wasserstein distance of a split at the stations.
func (g gaps) along(id ID, line []station, pooled, x []uint64) float64 {
	var p, q, out float64
	a, b := 1/g.n, 1/g.m
	for i, s := range line {
		p += float64(x[i])
		q += float64(pooled[i] - x[i])
		out += math.Abs(p*a-q*b) * s.weight
	}
	if id == WassersteinScale {
		return out / g.sd
	}
	return out
}

// greatest is KS of a split at the stations.
func (g gaps) greatest(line []station, pooled, x []uint64) float64 {
	var p, q, out float64
	a, b := 1/g.n, 1/g.m
	for i, s := range line {
		p += float64(x[i])
		q += float64(pooled[i] - x[i])
		out = max(out, math.Abs(p*a-q*b)+s.weight)
	}
	return out
}
