package multivariate

import (
	"errors"
	"math"
)

// matrix is rows of equal length, one after the other.
type matrix struct {
	data []float64
	cols int
}

func (m matrix) row(i int) []float64 { return m.data[i*m.cols : (i+1)*m.cols] }
func (m matrix) rows() int {
	if m.cols == 0 {
		return 0
	}
	return len(m.data) / m.cols
}

const (
	// A fit ends when no coefficient moves by more than this.
	tolerance = 1e-9
	// Where classes separate well, coefficients creep; their order is right long
	// before.
	mostSteps = 200
)

// fitLogistic returns coefficients and intercept that minimise the sum of the
// log losses plus ridge/2 times the squared coefficients, the intercept left
// out. Every step minimises the quadratic that touches the loss from above
// (Böhning & Lindsay 1988, with the bound p(1-p) <= 1/4), so the loss only
// falls and one factorisation serves all steps.
func fitLogistic(x matrix, y []bool, ridge float64) (w []float64, intercept float64, err error) {
	d := x.cols + 1 // the intercept stands last
	factor, err := cholesky(bound(x, ridge), d)
	if err != nil {
		return nil, 0, err
	}
	beta, gradient := make([]float64, d), make([]float64, d)
	for range mostSteps {
		for j := range x.cols {
			gradient[j] = -ridge * beta[j]
		}
		gradient[x.cols] = 0
		for i := range y {
			row := x.row(i)
			miss := -sigmoid(dot(row, beta[:x.cols]) + beta[x.cols])
			if y[i] {
				miss++
			}
			for j, v := range row {
				gradient[j] += miss * v
			}
			gradient[x.cols] += miss
		}
		solve(factor, d, gradient)
		moved := 0.0
		for j, step := range gradient {
			beta[j] += step
			moved = max(moved, math.Abs(step))
		}
		if moved < tolerance {
			break
		}
	}
	return beta[:x.cols], beta[x.cols], nil
}

// bound is X'X/4 plus the ridge, X with a column of ones last; the lower
// triangle.
func bound(x matrix, ridge float64) []float64 {
	d := x.cols + 1
	h := make([]float64, d*d)
	for i := range x.rows() {
		row := x.row(i)
		for a, v := range row {
			if v == 0 {
				continue
			}
			line := h[a*d : a*d+a+1]
			for b := range line {
				line[b] += v * row[b] / 4
			}
		}
		last := h[x.cols*d:]
		for b, v := range row {
			last[b] += v / 4
		}
		last[x.cols] += 0.25
	}
	for a := range x.cols {
		h[a*d+a] += ridge
	}
	return h
}

var errSingular = errors.New("the terms depend on each other")

// cholesky factors the lower triangle of a d x d matrix in place.
func cholesky(h []float64, d int) ([]float64, error) {
	for a := range d {
		for b := range a + 1 {
			sum := h[a*d+b] - dot(h[a*d:a*d+b], h[b*d:b*d+b])
			if a != b {
				h[a*d+b] = sum / h[b*d+b]
				continue
			}
			if !(sum > 0) {
				return nil, errSingular
			}
			h[a*d+a] = math.Sqrt(sum)
		}
	}
	return h, nil
}

// solve replaces v by the solution of L L' x = v.
func solve(factor []float64, d int, v []float64) {
	for a := range d {
		v[a] = (v[a] - dot(factor[a*d:a*d+a], v[:a])) / factor[a*d+a]
	}
	for a := d - 1; a >= 0; a-- {
		v[a] /= factor[a*d+a]
		for b := range a {
			v[b] -= factor[a*d+b] * v[a]
		}
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func sigmoid(t float64) float64 { return 1 / (1 + math.Exp(-t)) }
