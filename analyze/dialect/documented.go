package dialect

import (
	"math"
	"slices"
)

// Thresholds of the documented peers. They are defaults that a user of the peer
// may have changed.
const (
	sageMakerThreshold = 0.1
	azureThreshold     = 0.1
	vertexThreshold    = 0.3
	documentedBins     = 10
)

// SageMakerScore follows SageMaker Model Monitor's page on constraints: the
// comparison method Simple is LInfinity and Robust is LInfinityRobust, with
// comparison_threshold 0.1. That it runs deequ's code is our inference from the
// common names.
func SageMakerScore(reference, current Column, m Measure) (Score, error) {
	s, err := DeequScore(reference, current, m, DeequOptions{})
	if err != nil {
		return Score{}, undefined(SageMaker, m, reference)
	}
	s.Threshold, s.Alert = sageMakerThreshold, s.Value > sageMakerThreshold
	return s, nil
}

// AzureScore follows the defaults of Azure Machine Learning's client: for
// numbers the Wasserstein distance divided by the reference's standard
// deviation, for words the Jensen-Shannon distance, both with threshold 0.1.
// What divides the distance, and the base 2 of the logarithm, are our reading.
func AzureScore(reference, current Column, m Measure) (Score, error) {
	ref, cur := present(reference), present(current)
	if ref.Len() == 0 || cur.Len() == 0 || ref.categorical != cur.categorical {
		return Score{}, undefined(Azure, m, reference)
	}
	s := Score{Measure: m, P: math.NaN(), Threshold: azureThreshold}
	switch {
	case m == Wasserstein && !ref.categorical:
		_, std := meanStd(ref.numbers)
		s.Value = wasserstein(ref.numbers, cur.numbers) / std
	case m == JensenShannon && ref.categorical:
		p, q := valueCells(ref, cur)
		s.Value = jensenShannon(p, q, 2)
	default:
		return Score{}, undefined(Azure, m, reference)
	}
	s.Alert = s.Value > s.Threshold
	return s, nil
}

// VertexScore follows Vertex AI Model Monitoring's pages: L-infinity for words
// and the Jensen-Shannon divergence (base 2, so at most 1; not its root) for
// numbers, with gcloud's default threshold 0.3. The bins are not documented;
// ten of equal width over both samples are ours.
func VertexScore(reference, current Column, m Measure) (Score, error) {
	ref, cur := present(reference), present(current)
	if ref.Len() == 0 || cur.Len() == 0 || ref.categorical != cur.categorical {
		return Score{}, undefined(Vertex, m, reference)
	}
	s := Score{Measure: m, P: math.NaN(), Threshold: vertexThreshold}
	switch {
	case m == LInfinity && ref.categorical:
		p, q := valueCells(ref, cur)
		s.Value = largestGap(share(p, ref.Len()), share(q, cur.Len()))
	case m == JensenShannon && !ref.categorical:
		p, q := equalBins(ref.numbers, cur.numbers)
		root := jensenShannon(p, q, 2)
		s.Value = root * root
	default:
		return Score{}, undefined(Vertex, m, reference)
	}
	s.Alert = s.Value > s.Threshold
	return s, nil
}

// equalBins counts both samples on ten bins of equal width over both.
func equalBins(x, y []float64) (p, q []float64) {
	both := slices.Concat(x, y)
	low, high := slices.Min(both), slices.Max(both)
	if low == high {
		low, high = low-0.5, high+0.5
	}
	edges := linspace(low, high, documentedBins)
	return histogram(x, edges), histogram(y, edges)
}

// DatabricksScore follows the columns of Databricks' drift metrics table. The
// table has no thresholds, so that nothing alerts here; ks_test and
// chi_squared_test print a statistic, in Value, and a p-value. The bins of the population stability index
// are not documented; ten of equal width over both samples, with 1e-4 in empty
// ones, are ours, and so is base 2 of js_distance.
func DatabricksScore(reference, current Column, m Measure) (Score, error) {
	ref, cur := present(reference), present(current)
	if ref.Len() == 0 || cur.Len() == 0 || ref.categorical != cur.categorical {
		return Score{}, undefined(Databricks, m, reference)
	}
	s := Score{Measure: m, P: math.NaN(), Threshold: math.NaN()}
	var known bool
	if ref.categorical {
		s.Value, s.P, known = databricksWords(ref, cur, m)
	} else {
		s.Value, s.P, known = databricksNumbers(ref.numbers, cur.numbers, m)
	}
	if !known {
		return Score{}, undefined(Databricks, m, reference)
	}
	return s, nil
}

func databricksWords(ref, cur Column, m Measure) (value, p float64, known bool) {
	a, b := valueCells(ref, cur)
	x, y := share(a, ref.Len()), share(b, cur.Len())
	switch m {
	case ChiSquare:
		value, p = chiSquareContingency(a, b)
		return value, p, true
	case JensenShannon:
		return jensenShannon(x, y, 2), math.NaN(), true
	case LInfinity:
		return largestGap(x, y), math.NaN(), true
	case TotalVariation:
		half := 0.0
		for i := range x {
			half += math.Abs(x[i]-y[i]) / 2
		}
		return half, math.NaN(), true
	}
	return 0, 0, false
}

func databricksNumbers(x, y []float64, m Measure) (value, p float64, known bool) {
	switch m {
	case KolmogorovSmirnov:
		return kolmogorovSmirnov(x, y), kolmogorovSmirnovP(x, y), true
	case Wasserstein:
		return wasserstein(x, y), math.NaN(), true
	case PSI:
		a, b := equalBins(x, y)
		return psi(fillEmpty(share(a, len(x))), fillEmpty(share(b, len(y)))), math.NaN(), true
	}
	return 0, 0, false
}
