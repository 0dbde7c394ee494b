package flights

import (
	"errors"
	"fmt"
	"math"
)

// maxTerms is the most non-zero terms of one row of the design.
const maxTerms = 8

// design is one row of a sparse design matrix: its non-zero columns in
// ascending order.
type design struct {
	n      int
	column [maxTerms]int
	value  [maxTerms]float64
}

func (x *design) reset() { x.n = 0 }

func (x *design) add(column int, value float64) {
	x.column[x.n], x.value[x.n] = column, value
	x.n++
}

func (x *design) dot(weights []float64) float64 {
	var sum float64
	for k := range x.n {
		sum += x.value[k] * weights[x.column[k]]
	}
	return sum
}

// sigmoid returns 1 / (1 + exp(-z)).
func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// logLoss returns log(1 + exp(z)) - y z without overflow.
func logLoss(z float64, y bool) float64 {
	loss := math.Log1p(math.Exp(-math.Abs(z))) + max(z, 0)
	if y {
		loss -= z
	}
	return loss
}

// samples is a training set: row fills in row i of the design and returns its
// class. Column 0 is the intercept.
type samples struct {
	rows    int
	columns int
	row     func(i int, x *design) (positive bool)
}

const (
	maxIterations = 60
	// stepTolerance is the largest step in a weight at which Newton's method
	// has converged; the next step would be of the order of its square.
	stepTolerance = 1e-7
)

// fitLogistic returns the weights that minimise
//
//	sum over rows of log loss + ridge/2 x sum of squared weights,
//
// the intercept (column 0) excepted from the ridge: scikit-learn's
// LogisticRegression with C = 1/ridge. It uses Newton's method with a dense
// Hessian (Hastie, Tibshirani, Friedman, The Elements of Statistical Learning,
// section 4.4.1), halving a step that does not lessen the loss, and sums in the
// order of the rows, so that equal input gives equal weights.
func fitLogistic(s samples, ridge float64) ([]float64, error) {
	if s.rows == 0 || s.columns == 0 {
		return nil, fmt.Errorf("fit logistic regression: %d rows, %d columns", s.rows, s.columns)
	}
	n := newNewton(s, ridge)
	weights := make([]float64, s.columns)
	step := make([]float64, s.columns)
	loss := n.derive(weights)
	for range maxIterations {
		if err := n.solve(step); err != nil {
			return nil, fmt.Errorf("fit logistic regression: %w", err)
		}
		next, shrunk, err := n.advance(weights, step, loss)
		if err != nil {
			return nil, fmt.Errorf("fit logistic regression: %w", err)
		}
		loss = next
		if shrunk < stepTolerance {
			return weights, nil
		}
	}
	return nil, fmt.Errorf("fit logistic regression: no convergence in %d iterations", maxIterations)
}

// newton holds the loss's derivatives at one point.
type newton struct {
	samples
	ridge    float64
	gradient []float64
	hessian  []float64 // lower triangle, row by row in a square
}

func newNewton(s samples, ridge float64) *newton {
	return &newton{samples: s, ridge: ridge,
		gradient: make([]float64, s.columns), hessian: make([]float64, s.columns*s.columns)}
}

// derive sets gradient and Hessian at weights and returns the loss there.
func (n *newton) derive(weights []float64) float64 {
	clear(n.gradient)
	clear(n.hessian)
	var x design
	var loss float64
	for i := range n.rows {
		x.reset()
		positive := n.row(i, &x)
		z := x.dot(weights)
		p := sigmoid(z)
		loss += logLoss(z, positive)
		residual := p
		if positive {
			residual = p - 1
		}
		curvature := p * (1 - p)
		for a := range x.n {
			n.gradient[x.column[a]] += residual * x.value[a]
			scaled := curvature * x.value[a]
			row := n.hessian[x.column[a]*n.columns:]
			for b := 0; b <= a; b++ {
				row[x.column[b]] += scaled * x.value[b]
			}
		}
	}
	for j := 1; j < n.columns; j++ {
		loss += n.ridge / 2 * weights[j] * weights[j]
		n.gradient[j] += n.ridge * weights[j]
		n.hessian[j*n.columns+j] += n.ridge
	}
	return loss
}

// advance moves weights against step, by half as long as the loss would rise,
// and returns the new loss and the largest change of a weight.
func (n *newton) advance(weights, step []float64, loss float64) (next, largest float64, err error) {
	for scale := 1.0; scale > 1e-6; scale /= 2 {
		largest = 0
		for j := range weights {
			weights[j] -= scale * step[j]
			largest = max(largest, math.Abs(scale*step[j]))
		}
		next = n.derive(weights)
		// Rounding alone may raise a loss that has nowhere left to fall.
		if next <= loss+1e-9*math.Abs(loss) {
			return next, largest, nil
		}
		for j := range weights {
			weights[j] += scale * step[j]
		}
	}
	return 0, 0, errors.New("no step lessens the loss")
}

// solve sets step to the inverse of the Hessian times the gradient by Cholesky
// factorisation. The Hessian is overwritten.
func (n *newton) solve(step []float64) error {
	w, h := n.columns, n.hessian
	for j := range w {
		rowJ := h[j*w : j*w+j+1]
		for k := range j {
			rowK := h[k*w : k*w+k+1]
			sum := rowJ[k]
			for m := range k {
				sum -= rowJ[m] * rowK[m]
			}
			rowJ[k] = sum / rowK[k]
			rowJ[j] -= rowJ[k] * rowJ[k]
		}
		if !(rowJ[j] > 0) {
			return fmt.Errorf("the Hessian is singular at column %d", j)
		}
		rowJ[j] = math.Sqrt(rowJ[j])
	}
	for j := range w {
		sum := n.gradient[j]
		for m := range j {
			sum -= h[j*w+m] * step[m]
		}
		step[j] = sum / h[j*w+j]
	}
	for j := w - 1; j >= 0; j-- {
		sum := step[j]
		for m := j + 1; m < w; m++ {
			sum -= h[m*w+j] * step[m]
		}
		step[j] = sum / h[j*w+j]
	}
	return nil
}
