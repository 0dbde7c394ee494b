package alerting

import (
	"fmt"
	"slices"
	"strings"
)

// Easing says in one sentence that an incident improves: which conditions of the text
// before are over, and which go on. It is empty where none is over, one is new, or
// nobody looks after it any more.
func (t Text) Easing(before Text, q Quoter) string {
	over, added := without(before.Burns, t.Burns), without(t.Burns, before.Burns)
	if t.Status != StatusFiring || len(over) == 0 || len(added) > 0 || before.Acked != nil && t.Acked == nil {
		return ""
	}
	words := "Improves"
	if t.Level() != before.Level() {
		words += " to a " + strings.ToLower(t.Level())
	}
	is, goes := "is", "goes on"
	if len(over) > 1 {
		is = "are"
	}
	if len(t.Burns) > 1 {
		goes = "go on"
	}
	words += fmt.Sprintf(": %s %s over; %s %s", conditions(over, q), is, conditions(t.Burns, q), goes)
	if rate, ok := t.Rate(); ok {
		words += ", " + number(rate) + " times too fast"
	}
	return words + "."
}

// without returns the conditions that are not among the others.
func without(burns, others []Burn) []Burn {
	return slices.DeleteFunc(slices.Clone(burns), func(b Burn) bool {
		return slices.ContainsFunc(others, func(o Burn) bool { return o.Severity == b.Severity && o.Windows == b.Windows })
	})
}

// conditions names conditions by level and windows.
func conditions(burns []Burn, q Quoter) string {
	names := make([]string, len(burns))
	for i, b := range burns {
		names[i] = "the " + q.Sentence(b.Severity)
		if b.Windows != "" {
			names[i] += " over " + q.Sentence(b.Windows)
		}
	}
	return strings.Join(names, " and ")
}
