package multivariate

import (
	"cmp"
	"slices"
)

// area is the area under an ROC curve with its variance.
type area struct {
	value float64
	// variance is DeLong's, null the one that both samples from one distribution
	// have (Mann & Whitney 1947).
	variance, null float64
}

// roc returns the probability that a positive row scores above a negative one,
// ties half, with the variance of DeLong, DeLong & Clarke-Pearson 1988 by
// midranks (Sun & Xu 2014). Both classes must have at least two rows.
func roc(scores []float64, positive []bool) area {
	var up, down []float64
	for i, s := range scores {
		if positive[i] {
			up = append(up, s)
		} else {
			down = append(down, s)
		}
	}
	n, m := float64(len(up)), float64(len(down))
	above := midranks(slices.Concat(up, down))
	inUp, inDown := midranks(up), midranks(down)
	var a area
	ups, downs := make([]float64, len(up)), make([]float64, len(down))
	for i := range up {
		ups[i] = (above[i] - inUp[i]) / m
		a.value += ups[i] / n
	}
	for i := range down {
		downs[i] = 1 - (above[len(up)+i]-inDown[i])/n
	}
	a.variance = spread(ups, a.value)/n + spread(downs, a.value)/m
	a.null = (n + m + 1) / (12 * n * m)
	return a
}

// spread is the variance of the values around their mean.
func spread(values []float64, mean float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += (v - mean) * (v - mean)
	}
	return sum / float64(len(values)-1)
}

// midranks returns the ranks from 1 on, equal values sharing the mean of theirs.
func midranks(values []float64) []float64 {
	order := make([]int, len(values))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(values[a], values[b]) })
	ranks := make([]float64, len(values))
	for from := 0; from < len(order); {
		to := from
		for to < len(order) && values[order[to]] == values[order[from]] {
			to++
		}
		for _, i := range order[from:to] {
			ranks[i] = float64(from+to+1) / 2
		}
		from = to
	}
	return ranks
}
