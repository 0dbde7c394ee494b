package ask

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// vocabulary is the classes that labels and predictions of a window are, of all parts
// together: an hour without fraud is one of a model that finds fraud.
type vocabulary map[string]bool

func vocabularyOf(tallies map[string]*tally) vocabulary {
	seen := vocabulary{}
	for _, t := range tallies {
		for p := range t.matrix {
			seen[p.label], seen[p.predicted] = true, true
		}
	}
	return seen
}

// lacks reports whether nothing is of the class. Classes over the cap of the rollups
// have no name there and may be any.
func (v vocabulary) lacks(class string) bool { return !v[class] && !v[overCap] }

// String lists the classes for a message.
func (v vocabulary) String() string { return listed(slices.Sorted(maps.Keys(v))) }

// mostListed is how many names a message lists.
const mostListed = 20

// listed quotes names, which a producer may have written.
func listed(names []string) string {
	var all []string
	for _, name := range names[:min(len(names), mostListed)] {
		all = append(all, strconv.Quote(name))
	}
	if n := len(names) - mostListed; n > 0 {
		all = append(all, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(all, ", ")
}

// withoutPositive says that nothing is of the positive class, so that a count of it
// tells of its spelling as much as of the model; empty where something is.
func (v vocabulary) withoutPositive(d Declaration) string {
	switch {
	case d.Task != Binary || !v.lacks(d.Positive):
		return ""
	case len(v) == 0:
		return fmt.Sprintf("no label or prediction is %q", d.Positive)
	}
	return fmt.Sprintf("no label or prediction is %q; classes seen: %s", d.Positive, v)
}

// withoutValued names the classes that values are declared of and nothing is of;
// empty where there are none.
func (v vocabulary) withoutValued(d Declaration) string {
	unseen := vocabulary{}
	for _, w := range d.Values {
		for _, class := range []string{w.Predicted, w.Label} {
			if v.lacks(class) {
				unseen[class] = true
			}
		}
	}
	if len(unseen) == 0 || len(v) == 0 {
		return ""
	}
	return fmt.Sprintf("values are declared of %s, which no label or prediction is; classes seen: %s", unseen, v)
}

// unvalued reports whether an outcome that came has no declared value. Beside a
// declared class that never came it may be the one that was meant.
func (t *tally) unvalued(d Declaration) bool {
	for p := range t.matrix {
		if !slices.ContainsFunc(d.Values, func(w Worth) bool { return w.Label == p.label && w.Predicted == p.predicted }) {
			return true
		}
	}
	return false
}

// unsaid is a value without interval, and why: it is not known what it is of.
func (v Value) unsaid(why string) Value {
	v.State, v.Interval, v.Why = metric.Insufficient, metric.Interval{Low: math.NaN(), High: math.NaN()}, why
	return v
}
