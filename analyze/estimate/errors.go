package estimate

import (
	"fmt"
	"slices"
)

// Miss is a labelled prediction of a regression: what was predicted and the loss
// it turned out to have (absolute or squared error, pinball loss).
type Miss struct {
	Stratum         Stratum
	Predicted, Loss float64
	// Scatter is the variance of the loss among the predictions that the row
	// stands for, where Loss is their mean.
	Scatter float64
	// Count is how many predictions of one size the row stands for; 0 is one.
	Count int64
	// Worth is how many equal observations they are worth, as an Example's. 0 is
	// Count.
	Worth float64
}

// n is the number of observations that the row is worth.
func (m Miss) n() float64 {
	if m.Worth > 0 {
		return m.Worth
	}
	return float64(max(m.Count, 1))
}

// ErrorModel expects the loss of a prediction from its size and its stratum: the
// mean loss of labelled predictions of alike size, shrunk towards that of all of
// its stratum's neighbours in size where there are few. It assumes that losses
// of alike predictions stay what they were.
type ErrorModel struct {
	cuts  Cuts
	cells map[[2]int]lossCell // by stratum and bin of size
	sizes map[int]lossCell    // by bin of size, over all strata
}

type lossCell struct{ n, mean, variance float64 }

// add takes in n losses of mean x and variance v (Chan, Golub & LeVeque 1979).
func (l *lossCell) add(x, v, n float64) {
	d, before := x-l.mean, l.n
	l.n += n
	l.mean += d * n / l.n
	l.variance = (before*l.variance + n*v + d*d*before*n/l.n) / l.n
}

const (
	errorBins  = 20 // of equal mass in the labelled predictions
	priorCount = 20 // labels that the neighbours' mean is worth in a cell
	// cutResolution is in how many parts of the labels a size's share is weighed.
	cutResolution = 1000
)

// FitErrors fits to labelled predictions, which must be older than what the model
// is then asked about.
func FitErrors(misses []Miss) (*ErrorModel, error) {
	labels := 0.0
	var sizes []float64
	for _, m := range misses {
		labels += m.n()
	}
	if labels < 2*errorBins {
		return nil, fmt.Errorf("fit an error model to %.0f labels: at least %d are needed", labels, 2*errorBins)
	}
	for _, m := range misses {
		// Many of one size weigh as many, but need not all stand in the list.
		for range max(1, int(m.n()/labels*cutResolution)) {
			sizes = append(sizes, m.Predicted)
		}
	}
	cuts, err := CutStrata(sizes, errorBins)
	if err != nil {
		return nil, err
	}
	model := &ErrorModel{cuts: slices.Clip(cuts), cells: make(map[[2]int]lossCell), sizes: make(map[int]lossCell)}
	for _, m := range misses {
		bin := int(cuts.Of(m.Predicted))
		key := [2]int{int(m.Stratum), bin}
		cell, size := model.cells[key], model.sizes[bin]
		cell.add(m.Loss, m.Scatter, m.n())
		size.add(m.Loss, m.Scatter, m.n())
		model.cells[key], model.sizes[bin] = cell, size
	}
	return model, nil
}

// Event returns what the loss of a prediction is expected to be.
func (m *ErrorModel) Event(s Stratum, predicted float64) Event {
	bin := int(m.cuts.Of(predicted))
	size, cell := m.sizes[bin], m.cells[[2]int{int(s), bin}]
	w := cell.n / (cell.n + priorCount)
	expected := w*cell.mean + (1-w)*size.mean
	spread := w*(cell.variance+(cell.mean-expected)*(cell.mean-expected)) + (1-w)*(size.variance+(size.mean-expected)*(size.mean-expected))
	return Event{Stratum: s, Expected: expected, Variance: spread}
}
