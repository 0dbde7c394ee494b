package peers

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/plumbline-slo/plumbline/analyze/dialect"
	"github.com/plumbline-slo/plumbline/analyze/drift/rows"
)

// performance estimates by CBPE, or says why it cannot.
func (r *Report) performance(reference, current rows.Table, o Options) {
	estimates, err := cbpe(reference, current, o)
	if err != nil {
		r.NoPerformance = err.Error()
		return
	}
	r.Performance = estimates
}

// cbpe fits on the reference's rows with score, class and label, and estimates
// the window's rows with score and class.
func cbpe(reference, current rows.Table, o Options) ([]Estimate, error) {
	positive, err := positiveClass(reference, o.Positive)
	if err != nil {
		return nil, err
	}
	before, truth := predictions(reference, positive, true)
	after, _ := predictions(current, positive, false)
	if len(after.Scores) == 0 {
		return nil, errors.New("no row of the window has a score and a class")
	}
	for _, s := range slices.Concat(before.Scores, after.Scores) {
		if s < 0 || s > 1 {
			return nil, fmt.Errorf("a score is %g: it must be a probability", s)
		}
	}
	chunks, err := o.Chunks.Of(len(before.Scores))
	if err != nil {
		return nil, fmt.Errorf("reference: %w", err)
	}
	fit, err := dialect.FitCBPE(before, truth, chunks)
	if err != nil {
		return nil, err
	}
	if chunks, err = o.Chunks.Of(len(after.Scores)); err != nil {
		return nil, fmt.Errorf("window: %w", err)
	}
	var all []Estimate
	for _, m := range []dialect.Performance{dialect.ROCAUC, dialect.Accuracy, dialect.F1} {
		for _, c := range chunks {
			e, err := fit.Estimate(m, after.Rows(c.From, c.To))
			if err != nil {
				return nil, err
			}
			all = append(all, Estimate{Chunk: c.Key(), Estimate: e})
		}
	}
	return all, nil
}

// positiveClass returns the class that the score is the probability of.
func positiveClass(t rows.Table, asked string) (string, error) {
	sums, counts := map[string]float64{}, map[string]float64{}
	for i, label := range t.Labels {
		if label != "" && !math.IsNaN(t.Scores[i]) {
			sums[label] += t.Scores[i]
			counts[label]++
		}
	}
	classes := slices.Sorted(maps.Keys(counts))
	switch {
	case len(classes) == 0:
		return "", errors.New("no row of the reference has a score and a label")
	case len(classes) != 2:
		return "", fmt.Errorf("the reference's labels have %d classes: CBPE here is for two", len(classes))
	case asked != "" && !slices.Contains(classes, asked):
		return "", fmt.Errorf("no label of the reference is %q: they are %q", asked, classes)
	case asked != "":
		return asked, nil
	}
	if sums[classes[0]]/counts[classes[0]] > sums[classes[1]]/counts[classes[1]] {
		return classes[0], nil
	}
	return classes[1], nil
}

// predictions returns the rows that have what is needed, in their order.
func predictions(t rows.Table, positive string, labelled bool) (p dialect.Predictions, truth []bool) {
	for i, s := range t.Scores {
		if math.IsNaN(s) || t.Predicted[i] == "" || labelled && t.Labels[i] == "" {
			continue
		}
		p.Scores, p.Chosen = append(p.Scores, s), append(p.Chosen, t.Predicted[i] == positive)
		if labelled {
			truth = append(truth, t.Labels[i] == positive)
		}
	}
	return p, truth
}
