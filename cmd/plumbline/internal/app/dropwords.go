package app

import (
	"cmp"
	"math"
	"slices"
	"strconv"
	"strings"

	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/cause"
)

// mostWays and mostParts bound what the page says of a drop, leastPart is the
// share of it below which a part is not worth a line.
const (
	mostWays  = 2
	mostParts = 2
	leastPart = 0.1
)

// dropWords says which parts carry a drop of what, the most uneven ways first, and
// what share of events they are. Parts that add as much as their share of the
// traffic explain nothing.
func dropWords(ways []qualityask.Way, what, events string) []string {
	var lines []string
	told := 0
	for _, way := range ways {
		if told == mostWays || way.Change >= 0 || way.Spread <= 0 {
			break
		}
		parts := 0
		for _, p := range replaced(way.Parts) {
			share := p.Total / way.Change
			if parts == mostParts || share < leastPart || share <= usual(p) {
				continue
			}
			parts++
			lines = append(lines, dropWord(way.By, p, share)+" of the drop in "+what+" with "+wholePercent(p.AfterShare)+" of the "+events+rates(p))
		}
		if parts > 0 {
			told++
		}
	}
	return lines
}

// usual is the share of a change that a part carries if it is like the others: that of
// its events. What is new had none before, so it is that of now, unless it took over
// from everything: then there are no others.
func usual(p cause.Part) float64 {
	if p.BeforeShare == 0 && p.AfterShare < 1 {
		return p.AfterShare
	}
	return (p.BeforeShare + p.AfterShare) / 2
}

// replaced gives what went, and so adds only by being gone, to what came in its
// place, by its share: a deploy that took over from another carries what the two
// differ by. What went without anything new stays as it is.
func replaced(parts []cause.Part) []cause.Part {
	var came, went float64
	for _, p := range parts {
		switch {
		case p.BeforeShare == 0:
			came += p.AfterShare
		case p.AfterShare == 0:
			went += p.Total
		}
	}
	if came == 0 {
		return parts
	}
	var out []cause.Part
	for _, p := range parts {
		if p.BeforeShare > 0 && p.AfterShare == 0 {
			continue
		}
		if p.BeforeShare == 0 {
			p.Total += went * p.AfterShare / came
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b cause.Part) int { return cmp.Compare(math.Abs(b.Total), math.Abs(a.Total)) })
	return out
}

func dropWord(by string, p cause.Part, share float64) string {
	kind, name, _ := strings.Cut(by, " ")
	what := kind + " " + strconv.Quote(p.Name)
	if name != "" {
		what = kind + " " + name + " " + strconv.Quote(p.Name)
	}
	if p.BeforeShare == 0 {
		what += ", which is new,"
	}
	return what + " carries " + wholePercent(share)
}

// rates tells what became of a part that was there before and is there now.
func rates(p cause.Part) string {
	if math.IsNaN(p.BeforeRate) || math.IsNaN(p.AfterRate) {
		return ""
	}
	return ", " + wholePercent(p.BeforeRate) + " → " + wholePercent(p.AfterRate)
}

func wholePercent(v float64) string {
	return strconv.FormatFloat(math.Round(v*100), 'f', -1, 64) + " %"
}
