package multivariate

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/rows"
)

// Options say how rows are told apart.
type Options struct {
	// Folds is the number of parts that are held out in turn. More leave more rows
	// to learn from and fewer to be sure by. Default 2.
	Folds int
	// Ridge is the weight of the squared coefficients. Default 1.
	Ridge float64
	// Terms is the greatest number of terms of a fit. Default 100.
	Terms int
	// Categories is the greatest number of categories of a feature that are terms.
	// Default 20.
	Categories int
	// MinRows is how many rows each window must have. Default 200.
	MinRows int
	// Alpha is the p-value at or below which windows differ. Default 0.01.
	Alpha float64
	// MinEffect is how far the area must lie above 0.5 to matter. Default 0.05.
	MinEffect float64
	// Seed is that of the folds. The default 0 is as good as any.
	Seed uint64
}

// DefaultOptions returns the defaults that the fields name.
func DefaultOptions() Options {
	return Options{Folds: 2, Ridge: 1, Terms: 100, Categories: 20, MinRows: 200, Alpha: 0.01, MinEffect: 0.05}
}

// Validate returns every error in the options at once.
func (o Options) Validate() error {
	var errs []error
	if o.Folds < 2 || o.Folds > 20 {
		errs = append(errs, fmt.Errorf("folds %d: must be 2 to 20", o.Folds))
	}
	if !(o.Ridge > 0) {
		errs = append(errs, fmt.Errorf("ridge %g: must be positive", o.Ridge))
	}
	if o.Terms < 1 || o.Categories < 0 {
		errs = append(errs, fmt.Errorf("%d terms and %d categories: must be at least 1 and 0", o.Terms, o.Categories))
	}
	if o.MinRows < 2*o.Folds {
		errs = append(errs, fmt.Errorf("at least %d rows: must be two a fold", o.MinRows))
	}
	if !(o.Alpha > 0 && o.Alpha < 1) || !(o.MinEffect >= 0 && o.MinEffect < 0.5) {
		errs = append(errs, fmt.Errorf("alpha %g and least effect %g: must lie between 0 and 1, and 0 and 0.5", o.Alpha, o.MinEffect))
	}
	return errors.Join(errs...)
}

// Weight is how much one feature did to tell the windows apart.
type Weight struct {
	Feature plumbline.Feature `json:"feature"`
	// Share is its portion of the squared scores that the fits gave, from all
	// terms it is in; half of a product's. Those of all features add up to 1.
	Share float64 `json:"share"`
}

// Result is how well two windows can be told apart.
type Result struct {
	// AUC is the probability that a held-out row of the window scores above one
	// of the reference: 0.5 is no difference. NaN where the rows are too few.
	AUC float64 `json:"auc"`
	// Low and High are its 95 % interval, P the probability of at least AUC if
	// nothing differs.
	Low  float64 `json:"low"`
	High float64 `json:"high"`
	P    float64 `json:"p"`
	// Reference and Current are the rows used, ReferenceTotal and CurrentTotal
	// those of the windows.
	Reference      int    `json:"reference"`
	Current        int    `json:"current"`
	ReferenceTotal uint64 `json:"reference_total"`
	CurrentTotal   uint64 `json:"current_total"`
	// Terms is how many the data offered; each fit took the best of them.
	Terms int `json:"terms"`
	// Weights are the features by their part in telling the windows apart.
	Weights []Weight `json:"weights"`
	// Verdict is breach if P is at most Alpha and AUC beyond the least effect,
	// insufficient with too few rows, else ok. Assumes says what it rests on.
	Verdict string `json:"verdict"`
	Assumes string `json:"assumes"`
}

// MarshalJSON writes null for the numbers of a result that says nothing.
func (r Result) MarshalJSON() ([]byte, error) {
	type plain Result // without this method
	said := func(v float64) *float64 {
		if math.IsNaN(v) {
			return nil
		}
		return &v
	}
	out := struct {
		AUC  *float64 `json:"auc"`
		Low  *float64 `json:"low"`
		High *float64 `json:"high"`
		P    *float64 `json:"p"`
		plain
	}{said(r.AUC), said(r.Low), said(r.High), said(r.P), plain(r)}
	return json.Marshal(out)
}

// normal975 is the normal quantile of a two-sided interval of 95 %.
const normal975 = 1.959963984540054

// assumes is what every result rests on.
const assumes = "rows are independent; a sample of raw rows, asked for on demand; linear and pairwise terms only"

// Compare tells the rows of two tables apart. Every row is scored by a fit that
// has not seen it; areas are taken within a fold and averaged. Where nothing
// differs the folds' areas go together, since each fit has learnt the chance of
// the other's rows, and no estimate of by how much is unbiased (Bengio &
// Grandvalet 2004). So the error of the mean is taken as that of one fold, the
// greatest that it can be.
func Compare(reference, current rows.Table, o Options) (Result, error) {
	if err := o.Validate(); err != nil {
		return Result{}, fmt.Errorf("tell windows apart: %w", err)
	}
	nan := math.NaN()
	r := Result{AUC: nan, Low: nan, High: nan, P: nan, Reference: reference.Len(), Current: current.Len(),
		ReferenceTotal: reference.Total, CurrentTotal: current.Total, Verdict: plumbline.VerdictInsufficient, Assumes: assumes}
	if min(r.Reference, r.Current) < o.MinRows {
		return r, nil
	}
	terms := termsOf(reference, current, o)
	r.Terms = len(terms)
	isCurrent := make([]bool, r.Reference+r.Current)
	for i := r.Reference; i < len(isCurrent); i++ {
		isCurrent[i] = true
	}
	var sum, variance, null float64
	weights := map[plumbline.Feature]float64{}
	for _, f := range folds(isCurrent, o) {
		a, err := f.held(terms, isCurrent, o, weights)
		if err != nil {
			return Result{}, fmt.Errorf("tell windows apart: %w", err)
		}
		sum, variance, null = sum+a.value, variance+a.variance, null+a.null
	}
	k := float64(o.Folds)
	r.AUC = sum / k
	reach := normal975 * math.Sqrt(variance/k)
	r.Low, r.High = max(0, r.AUC-reach), min(1, r.AUC+reach)
	r.P = math.Erfc((r.AUC-0.5)/math.Sqrt(null/k)/math.Sqrt2) / 2
	r.Verdict = plumbline.VerdictOK
	if r.P <= o.Alpha && r.AUC-0.5 >= o.MinEffect {
		r.Verdict = plumbline.VerdictBreach
	}
	r.Weights = ranked(weights)
	return r, nil
}

// fold is one division of the rows.
type fold struct{ train, test []int }

// folds divides the rows of each window at random, by the seed alone.
func folds(isCurrent []bool, o Options) []fold {
	random := rand.New(rand.NewPCG(o.Seed, 0))
	of := make([]int, len(isCurrent))
	var next [2]int
	for _, i := range random.Perm(len(isCurrent)) {
		class := 0
		if isCurrent[i] {
			class = 1
		}
		of[i] = next[class] % o.Folds
		next[class]++
	}
	all := make([]fold, o.Folds)
	for i, k := range of {
		for j := range all {
			if j == k {
				all[j].test = append(all[j].test, i)
			} else {
				all[j].train = append(all[j].train, i)
			}
		}
	}
	return all
}

// held fits on the training rows and returns the area on the others. It adds
// what each feature did.
func (f fold) held(terms []term, isCurrent []bool, o Options, weights map[plumbline.Feature]float64) (area, error) {
	kept := screen(terms, isCurrent, f.train, o.Terms)
	if len(kept) == 0 {
		return roc(make([]float64, len(f.test)), pick(isCurrent, f.test)), nil
	}
	train, test := values(kept, f.train), values(kept, f.test)
	w, _, err := fitLogistic(train, pick(isCurrent, f.train), o.Ridge)
	if err != nil {
		return area{}, err
	}
	scores := make([]float64, len(f.test))
	for i := range scores {
		scores[i] = dot(test.row(i), w)
	}
	for j, t := range kept {
		part := w[j] * w[j] * columnVariance(test, j)
		if t.b != nil {
			part /= 2
			weights[t.also] += part
		}
		weights[t.feature] += part
	}
	return roc(scores, pick(isCurrent, f.test)), nil
}

func values(terms []term, at []int) matrix {
	m := matrix{data: make([]float64, 0, len(at)*len(terms)), cols: len(terms)}
	for _, i := range at {
		for _, t := range terms {
			m.data = append(m.data, t.at(i))
		}
	}
	return m
}

func pick(values []bool, at []int) []bool {
	out := make([]bool, len(at))
	for k, i := range at {
		out[k] = values[i]
	}
	return out
}

func columnVariance(m matrix, j int) float64 {
	var sum, squares float64
	for i := range m.rows() {
		v := m.row(i)[j]
		sum += v
		squares += v * v
	}
	n := float64(m.rows())
	return max(0, squares/n-sum/n*sum/n)
}

// ranked turns squared scores into shares, the greatest first.
func ranked(weights map[plumbline.Feature]float64) []Weight {
	total := 0.0
	for _, f := range slices.Sorted(maps.Keys(weights)) {
		total += weights[f]
	}
	var all []Weight
	for _, f := range slices.Sorted(maps.Keys(weights)) {
		if total > 0 {
			all = append(all, Weight{f, weights[f] / total})
		}
	}
	slices.SortStableFunc(all, func(a, b Weight) int { return cmp.Compare(b.Share, a.Share) })
	return all
}
