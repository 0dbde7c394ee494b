package alerting

import (
	"strings"
	"time"
)

// fromWindows fills in what the rule did not say: the upper ends of the
// intervals, and what is left of the budget.
func (t *Text) fromWindows(windows []WindowShare) {
	find := func(name string) (WindowShare, bool) {
		want, ok := parseDuration(name)
		for _, w := range windows {
			if d, known := parseDuration(w.Window); ok && known && d == want {
				return w, true
			}
		}
		return WindowShare{}, false
	}
	for i := range t.Burns {
		b := &t.Burns[i]
		long, _, _ := strings.Cut(b.Windows, "/")
		if w, ok := find(long); ok && !b.High.OK && finite(w.High) {
			b.High = Known{V: w.High, OK: true}
		}
		budget := 1 - b.Target.V
		if w, ok := find(t.Period); ok && !t.BudgetLeft.OK && b.Target.OK && budget > 0 && finite(w.Bad) {
			t.BudgetLeft = Known{V: 1 - w.Bad/budget, OK: true}
		}
	}
}

// longestWindow returns the longest long window of the conditions that fire.
func longestWindow(firing []Alert) time.Duration {
	var longest time.Duration
	for _, a := range firing {
		long, _, _ := strings.Cut(newBurn(a).Windows, "/")
		if d, ok := parseDuration(long); ok {
			longest = max(longest, d)
		}
	}
	return longest
}
