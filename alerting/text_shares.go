package alerting

import (
	"math"
	"strings"
	"time"
)

// WindowCount says how many of a window's events were bad.
type WindowCount struct {
	Window   string
	Bad, All uint64
	// What names the events, for example "requests"; it may be empty.
	What string
}

// fromWindows fills in what the rule did not say: the ends of the intervals, the
// events, and what is left of the budget.
func (t *Text) fromWindows(windows []WindowShare) {
	find := func(name string) (WindowShare, bool) {
		want, ok := parseDuration(name)
		for _, w := range windows {
			if d, known := parseDuration(w.Window); w.Window == name || ok && known && d == want {
				return w, true
			}
		}
		return WindowShare{}, false
	}
	for i := range t.Burns {
		b := &t.Burns[i]
		long, short, _ := strings.Cut(b.Windows, "/")
		if w, ok := find(long); ok {
			b.within(w)
		}
		for _, said := range []struct {
			name  string
			share Known
		}{{long, b.Long}, {short, b.Short}} {
			if w, ok := find(said.name); i == 0 && ok && w.Events > 0 && finite(w.Bad) && !w.another(said.share) {
				t.Counts = append(t.Counts, WindowCount{Window: said.name, Bad: uint64(math.Round(max(w.Bad, 0) * float64(w.Events))), All: w.Events, What: w.What})
			}
		}
		budget := 1 - b.Target.V
		if w, ok := find(t.Period); ok && !t.BudgetLeft.OK && b.Target.OK && budget > 0 && finite(w.Bad) {
			t.BudgetLeft = Known{V: 1 - w.Bad/budget, OK: true}
		}
	}
}

// another reports whether the window is as it was at another moment than the one that the
// rule speaks of: the share that it says lies outside of the interval.
func (w WindowShare) another(share Known) bool {
	return share.OK && (w.Low > share.V || w.High < share.V)
}

// within takes the ends of the interval that the rule did not say, unless it is one of
// another moment.
func (b *Burn) within(w WindowShare) {
	if w.another(b.Long) {
		return
	}
	if !b.Low.OK && finite(w.Low) {
		b.Low = Known{V: w.Low, OK: true}
	}
	if !b.High.OK && finite(w.High) {
		b.High = Known{V: w.High, OK: true}
	}
}

// countWords says of how many events the bad shares are, empty where that is not
// known.
func (t Text) countWords(q Quoter) string {
	var parts []string
	for i, c := range t.Counts {
		words := grouped(c.Bad) + " of " + grouped(c.All)
		if i == 0 && c.What != "" {
			words += " " + q.Sentence(c.What)
		}
		parts = append(parts, words+" over "+q.Sentence(c.Window))
	}
	return strings.Join(parts, ", ")
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
