package alarm

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"
)

// Candidate is one kind of reference with the distances that past windows had
// from it.
type Candidate struct {
	// Kind names it.
	Kind string
	// Past are the windows, in any order.
	Past []Past
}

// Past is one past window and how far it was from the reference as it stood
// then.
type Past struct {
	// End of the window, exclusive. It names the window: a window is compared
	// between candidates by its end.
	End time.Time
	// Distance is the debiased distance over the measure's least effect, which
	// makes features and measures comparable; the median over features if they
	// share a choice. NaN if there was none.
	Distance float64
}

// Choice is what Auto chose.
type Choice struct {
	Kind string
	// Median is the median distance of the kind over the windows that were
	// compared, in least effects, and Windows how many those were; NaN and 0 if
	// there were too few, and the kind is then the first one.
	Median  float64
	Windows int
	// From and To say when the choice holds: the day of the question.
	From, To time.Time
	// Assumption says in words what the choice rests on.
	Assumption string
}

const (
	// minPast is the least number of past windows that a choice rests on.
	minPast = 7
	// tie is the difference of medians, in least effects, below which the
	// simpler kind is taken.
	tie = 0.1
)

// Auto chooses the kind of reference whose past windows were nearest to it: what
// is usual by the clock is then no distance. at is the time of the question.
// Only windows that ended by the start of its day (UTC) count, so the choice
// knows nothing of the present and is the same all day. Candidates come in the
// order of simplicity, the simplest first: it is taken on a tie, and where fewer
// than seven windows can be compared. A candidate with fewer windows than that
// is left out; the others are compared on the windows they all have.
//
// A moving reference follows slow change: report the training set beside it. Auto
// returns an error if there is no candidate.
func Auto(at time.Time, candidates []Candidate) (Choice, error) {
	if len(candidates) == 0 {
		return Choice{}, fmt.Errorf("choose a reference at %s: no candidates", at.UTC().Format(time.RFC3339))
	}
	from := at.UTC().Truncate(24 * time.Hour)
	c := Choice{Kind: candidates[0].Kind, Median: math.NaN(), From: from, To: from.Add(24 * time.Hour)}
	entries := eligible(candidates, from)
	shared := sharedEnds(entries)
	if len(shared) < minPast {
		c.Assumption = fmt.Sprintf("fewer than %d past windows can be compared: the simplest reference is used", minPast)
		return c, nil
	}
	for _, e := range entries {
		distances := make([]float64, len(shared))
		for i, end := range shared {
			distances[i] = e.distances[end]
		}
		if m := median(distances); math.IsNaN(c.Median) || m < c.Median-tie {
			c.Kind, c.Median = e.kind, m
		}
	}
	c.Windows = len(shared)
	c.Assumption = fmt.Sprintf("of %d references, %d past windows lay nearest to this one", len(entries), c.Windows)
	return c, nil
}

// entry is a candidate with enough windows: its distances by the window's end.
type entry struct {
	kind      string
	distances map[int64]float64
}

// eligible returns the candidates with enough windows that ended by then.
func eligible(candidates []Candidate, by time.Time) []entry {
	var entries []entry
	for _, c := range candidates {
		e := entry{kind: c.Kind, distances: map[int64]float64{}}
		for _, p := range c.Past {
			if !p.End.After(by) && !math.IsNaN(p.Distance) {
				e.distances[p.End.UnixNano()] = p.Distance
			}
		}
		if len(e.distances) >= minPast {
			entries = append(entries, e)
		}
	}
	return entries
}

// sharedEnds returns the windows that every entry has.
func sharedEnds(entries []entry) []int64 {
	if len(entries) == 0 {
		return nil
	}
	shared := slices.Sorted(maps.Keys(entries[0].distances))
	for _, e := range entries[1:] {
		shared = slices.DeleteFunc(shared, func(end int64) bool { _, ok := e.distances[end]; return !ok })
	}
	return shared
}

func median(values []float64) float64 {
	slices.SortFunc(values, cmp.Compare[float64])
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}
