package ask

import (
	"fmt"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// worth is the mean value of a prediction. What never came counts, too: it is as far
// as the interval reaches.
func (t *tally) worth(d Declaration, thin metric.Thinning) metric.Value {
	values := map[pair]float64{}
	for _, w := range d.Values {
		values[pair{label: w.Label, predicted: w.Predicted}] = w.Value
	}
	counts := map[float64]int64{}
	for p, n := range t.matrix {
		counts[values[p]] += n
	}
	called, labels := t.named(d)
	for predicted := range called {
		for label := range labels {
			counts[values[pair{label: label, predicted: predicted}]] += 0
		}
	}
	var outcomes []metric.Outcome
	for value, n := range counts {
		outcomes = append(outcomes, metric.Outcome{Value: value, Count: n})
	}
	positives, negatives := t.truths(d, values, called, labels)
	return metric.WorthOf(outcomes, positives, negatives, thin)
}

// unnamed stands for all classes without a declared value, which are worth nothing
// alike.
const unnamed = "\x00"

// named returns the classes that a prediction may be called and labelled: those that
// values are declared of, and unnamed where there are others.
func (t *tally) named(d Declaration) (called, labels map[string]bool) {
	called, labels = map[string]bool{}, map[string]bool{}
	if d.Task == Binary {
		called[d.Positive], labels[d.Positive] = true, true
	}
	for _, w := range d.Values {
		called[w.Predicted], labels[w.Label] = true, true
	}
	others := func(names map[string]bool, of func(pair) string) {
		other := len(names) < 2 // every task has two classes
		for p := range t.matrix {
			other = other || !names[of(p)]
		}
		if other {
			names[unnamed] = true
		}
	}
	others(called, func(p pair) string { return p.predicted })
	others(labels, func(p pair) string { return p.label })
	return called, labels
}

// truths returns the labels of either truth, of several classes those of the rarest
// kind of truth that values tell apart, and all. Where they tell none apart, a value
// does not depend on the truth, and both are all.
func (t *tally) truths(d Declaration, values map[pair]float64, called, labels map[string]bool) (positives, negatives int64) {
	labelled, all := map[string]int64{}, int64(0)
	for p, n := range t.matrix {
		name := p.label
		if !labels[name] {
			name = unnamed
		}
		labelled[name] += n
		all += n
		if p.label == d.Positive {
			positives += n
		}
	}
	kinds := map[string]int64{}
	for label := range labels {
		row := map[string]float64{}
		for predicted := range called {
			row[predicted] = values[pair{label: label, predicted: predicted}]
		}
		kinds[fmt.Sprint(row)] += labelled[label] // in order of the names
	}
	switch {
	case len(kinds) < 2:
		return all, all
	case d.Task == Binary:
		return positives, all - positives
	}
	rarest := all
	for _, n := range kinds {
		rarest = min(rarest, n)
	}
	return rarest, all
}
