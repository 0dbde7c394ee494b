package dialect

import (
	"fmt"
	"math"
	"slices"
)

// Performance is a performance metric that NannyML's CBPE estimates.
type Performance string

// The metrics of the binary CBPE that are computed here.
const (
	ROCAUC   Performance = "roc_auc"
	Accuracy Performance = "accuracy"
	F1       Performance = "f1"
)

// Predictions are the scores of a binary model, one a row in [0, 1], with the
// class it chose.
type Predictions struct {
	Scores []float64
	Chosen []bool
}

// Rows returns the rows [from, to) without copying them.
func (p Predictions) Rows(from, to int) Predictions {
	return Predictions{p.Scores[from:to], p.Chosen[from:to]}
}

// Estimate is what CBPE prints for one metric and one chunk.
type Estimate struct {
	Metric        Performance
	Value         float64
	SamplingError float64 // standard error for a chunk of this length
	Low, High     float64 // the value minus and plus three sampling errors, within [0, 1]
	Lower, Upper  float64 // thresholds, from the realized metric of the reference chunks
	Alert         bool
}

// CBPE is NannyML's confidence-based performance estimation of a binary model,
// fitted on a reference with labels. It assumes that scores are, or can be
// made, calibrated, and that the concept does not drift.
type CBPE struct {
	calibrate  *isotonic // nil where the scores are used as they are
	thresholds map[Performance][2]float64
	errors     map[Performance][2]float64 // standard deviation and share of rows that count
}

// cbpeErrors is how many sampling errors wide the printed band is on a side.
const cbpeErrors = 3

// FitCBPE fits on reference rows cut into chunks. Every row needs a score that
// is not NaN, a choice and a label; the peer raises on a null as well.
func FitCBPE(reference Predictions, truth []bool, chunks []Chunk) (*CBPE, error) {
	if len(reference.Scores) == 0 || len(reference.Scores) != len(truth) || len(reference.Chosen) != len(truth) {
		return nil, fmt.Errorf("fit CBPE: %d scores, %d choices and %d labels", len(reference.Scores), len(reference.Chosen), len(truth))
	}
	if i := slices.IndexFunc(reference.Scores, math.IsNaN); i >= 0 {
		return nil, fmt.Errorf("fit CBPE: the score of row %d is null", i)
	}
	e := &CBPE{
		thresholds: make(map[Performance][2]float64),
		errors: map[Performance][2]float64{
			ROCAUC:   aucError(reference.Scores, truth),
			Accuracy: accuracyError(reference.Chosen, truth),
			F1:       f1Error(reference.Chosen, truth),
		},
	}
	for _, m := range []Performance{ROCAUC, Accuracy, F1} {
		values := make([]float64, 0, len(chunks))
		for _, c := range chunks {
			values = append(values, realized(m, reference.Rows(c.From, c.To), truth[c.From:c.To]))
		}
		low, high := nannyBand(values)
		e.thresholds[m] = [2]float64{max(low, 0), min(high, 1)}
	}
	needed, err := needsCalibration(reference.Scores, truth)
	if err != nil {
		return nil, fmt.Errorf("fit CBPE: %w", err)
	}
	if needed {
		fit := fitIsotonic(reference.Scores, truth)
		e.calibrate = &fit
	}
	return e, nil
}

// Calibrates reports whether the scores are calibrated before they are used.
func (e *CBPE) Calibrates() bool { return e.calibrate != nil }

// Estimate returns the metric expected on a chunk whose labels are not known.
// It is NaN where the metric is not defined: no rows, or for the ROC AUC scores
// that are all 0 or all 1.
func (e *CBPE) Estimate(m Performance, chunk Predictions) (Estimate, error) {
	sampling, known := e.errors[m]
	if !known {
		return Estimate{}, fmt.Errorf("CBPE of %s: %w", m, ErrUndefined)
	}
	if len(chunk.Chosen) != len(chunk.Scores) {
		return Estimate{}, fmt.Errorf("CBPE of %s: %d scores and %d choices", m, len(chunk.Scores), len(chunk.Chosen))
	}
	if i := slices.IndexFunc(chunk.Scores, math.IsNaN); i >= 0 {
		return Estimate{}, fmt.Errorf("CBPE of %s: the score of row %d is null", m, i)
	}
	out := Estimate{Metric: m, Lower: e.thresholds[m][0], Upper: e.thresholds[m][1]}
	out.Value = estimated(m, chunk, e.probabilities(chunk.Scores))
	out.SamplingError = sampling[0] / math.Sqrt(float64(len(chunk.Scores))*sampling[1])
	out.Low = max(out.Value-cbpeErrors*out.SamplingError, 0)
	out.High = min(out.Value+cbpeErrors*out.SamplingError, 1)
	out.Alert = out.Value < out.Lower || out.Value > out.Upper
	return out, nil
}

func (e *CBPE) probabilities(scores []float64) []float64 {
	if e.calibrate == nil {
		return scores
	}
	p := make([]float64, len(scores))
	for i, s := range scores {
		p[i] = e.calibrate.at(s)
	}
	return p
}

// estimated is the metric of the expected confusion matrix.
func estimated(m Performance, chunk Predictions, p []float64) float64 {
	if m == ROCAUC {
		return estimatedAUC(chunk.Scores, p)
	}
	var tp, fp, fn, tn float64
	for i, chosen := range chunk.Chosen {
		if chosen {
			tp += p[i]
			fp += 1 - p[i]
		} else {
			fn += p[i]
			tn += 1 - p[i]
		}
	}
	if m == Accuracy {
		return (tp + tn) / float64(len(p))
	}
	return tp / (tp + 0.5*(fp+fn))
}

// estimatedAUC ranks by the raw score and cumulates the calibrated one, both
// rates rounded to five decimals before they are normed. Ties are not merged.
func estimatedAUC(scores, p []float64) float64 {
	order := argsort(scores)
	slices.Reverse(order)
	tps, fps := make([]float64, len(p)+1), make([]float64, len(p)+1)
	total := 0.0
	for k, i := range order {
		total += p[i]
		tps[k+1] = math.RoundToEven(total*1e5) / 1e5
		fps[k+1] = math.RoundToEven((float64(k+1)-total)*1e5) / 1e5
	}
	allTP, allFP := tps[len(p)], fps[len(p)]
	area := 0.0
	for k := range p {
		area += (fps[k+1]/allFP - fps[k]/allFP) * (tps[k+1]/allTP + tps[k]/allTP) / 2
	}
	return area
}

// realized is the metric with the labels known, NaN where only one class is.
func realized(m Performance, chunk Predictions, truth []bool) float64 {
	var tp, fp, fn, tn float64
	for i, chosen := range chunk.Chosen {
		switch {
		case chosen && truth[i]:
			tp++
		case chosen:
			fp++
		case truth[i]:
			fn++
		default:
			tn++
		}
	}
	switch {
	case m == Accuracy:
		return (tp + tn) / float64(len(truth))
	case m == ROCAUC:
		return rocAUC(chunk.Scores, truth)
	case tp+fn == 0 || fp+tn == 0 || tp+fp == 0 || fn+tn == 0:
		return math.NaN()
	}
	return tp / (tp + 0.5*(fp+fn))
}

// rocAUC is the probability that a positive outranks a negative, ties half. It
// is NaN where there is one class only.
func rocAUC(scores []float64, truth []bool) float64 {
	order := argsort(scores)
	var below, wins, positives float64 // below: negatives of lower score
	for from := 0; from < len(order); {
		to := from
		var pos, neg float64
		for ; to < len(order) && scores[order[to]] == scores[order[from]]; to++ {
			pos += positive(truth[order[to]])
			neg += 1 - positive(truth[order[to]])
		}
		wins += pos * (below + neg/2)
		below += neg
		positives += pos
		from = to
	}
	return wins / (positives * below)
}

// aucError is the deviation of the positives' normalised ranks. Ties stand
// where NumPy's sort left them. A class that is the majority changes places
// with the other one. A positive of rank 0 is not counted: the peer finds the
// positives as label times rank, and takes 0 for a negative.
func aucError(scores []float64, truth []bool) [2]float64 {
	positives := 0
	for _, t := range truth {
		positives += int(positive(t))
	}
	n := len(truth)
	isPositive := true
	if 2*positives > n {
		isPositive, positives = false, n-positives
		flipped := make([]float64, n)
		for i, s := range scores {
			flipped[i] = 1 - s
		}
		scores = flipped
	}
	var ranks []float64
	for rank, i := range argsort(scores) {
		if rank > 0 && truth[i] == isPositive {
			ranks = append(ranks, float64(rank-len(ranks))/float64(n-positives))
		}
	}
	_, std := meanStd(ranks)
	return [2]float64{std, float64(positives) / float64(n)}
}

func accuracyError(chosen, truth []bool) [2]float64 {
	right := make([]float64, len(truth))
	for i := range truth {
		right[i] = positive(chosen[i] == truth[i])
	}
	_, std := meanStd(right)
	return [2]float64{std, 1}
}

// f1Error takes F1 as a mean over the rows that are not true negatives.
func f1Error(chosen, truth []bool) [2]float64 {
	var rows []float64
	var tp float64
	for i := range truth {
		if chosen[i] || truth[i] {
			hit := positive(chosen[i] && truth[i])
			tp += hit
			rows = append(rows, hit)
		}
	}
	if len(rows) == 0 {
		return [2]float64{math.NaN(), 0}
	}
	relevant := float64(len(rows))
	factor := relevant / ((relevant-tp)*0.5 + tp)
	for i := range rows {
		rows[i] *= factor
	}
	_, std := meanStd(rows)
	return [2]float64{std, relevant / float64(len(truth))}
}
