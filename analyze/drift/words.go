package drift

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// maxWord is how many characters of a category are shown.
const maxWord = 40

// words says what moved most: the medians if numbers did, else the cell with
// the greatest part in the PSI.
func (c cells) words(reference, current Sample, p, q []uint64) (before, after string) {
	var n, m float64
	for i := range p {
		if p[i] != 0 || q[i] != 0 {
			n += filled(p[i])
			m += filled(q[i])
		}
	}
	top, numbers := 0, 0.0
	best := math.Inf(-1)
	var rest float64
	for i, cell := range c.list {
		part := term(p[i], q[i], n, m)
		if cell.numeric() {
			numbers += part
		} else {
			rest += part
		}
		if part > best {
			top, best = i, part
		}
	}
	if numbers > 0 && numbers >= rest {
		a, b := reference.median(), current.median()
		if words, other := Number(a), Number(b); words != other && !math.IsNaN(a) && !math.IsNaN(b) {
			return "median " + words, other
		}
	}
	return c.list[top].name() + " " + share(p[top], reference.deliveries(reference.Total())), share(q[top], current.deliveries(current.Total()))
}

// median is that of the numbers, of probabilities as such.
func (s Sample) median() float64 {
	m := s.Numbers.Quantile(0.5)
	if s.Grid == grid.FullOdds && s.Numbers.Total() > 0 {
		return probability(m)
	}
	return m
}

// probability is that of odds; the last bucket, of infinite odds, has no middle
// and holds 1.
func probability(odds float64) float64 {
	if math.IsNaN(odds) || math.IsInf(odds, 1) {
		return 1
	}
	return odds / (1 + odds)
}

func (c cell) numeric() bool {
	return c.kind == cellBin || c.kind == cellBelow || c.kind == cellAbove
}

// name says what a cell holds.
func (c cell) name() string {
	switch c.kind {
	case cellBin:
		low, high := representative(c.from), representative(c.to)
		if c.odds {
			low, high = probability(low), probability(high)
		}
		if low == high {
			return Number(low)
		}
		return Number(low) + " to " + Number(high)
	case cellBelow:
		return "below the reference's range"
	case cellAbove:
		return "above the reference's range"
	case cellValue:
		return quoteShort(c.value)
	case cellOther:
		return "rare values"
	case cellUnseen:
		if c.once {
			return "values found nowhere else in the reference"
		}
		return "values the reference never had"
	case cellNull:
		return "null"
	case cellNaN:
		return "NaN"
	case cellInf:
		return "infinite"
	case cellAbsent:
		return "missing"
	}
	return "cell " + strconv.Itoa(int(c.kind))
}

func quoteShort(s string) string {
	if utf8.RuneCountInString(s) > maxWord {
		s = string([]rune(s)[:maxWord]) + "..."
	}
	return strconv.Quote(s)
}

func share(count, total uint64) string {
	percent := 100 * float64(count) / float64(total)
	switch {
	case count > 0 && percent < 0.1:
		return "<0.1 %"
	case percent < 10:
		return fmt.Sprintf("%.1f %%", percent)
	}
	return fmt.Sprintf("%.0f %%", percent)
}

// Number spells a number for people: three significant digits, thousands
// grouped, and the power of ten only where digits would not help.
func Number(v float64) string {
	magnitude := math.Abs(v)
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0) || magnitude != 0 && (magnitude >= 1e12 || magnitude < 1e-4):
		return strconv.FormatFloat(v, 'g', 3, 64)
	case magnitude < 1000:
		return plumbline.ThreeDigits(v)
	}
	digits := strconv.FormatFloat(math.Abs(plumbline.RoundThree(v)), 'f', 0, 64)
	var grouped strings.Builder
	if v < 0 {
		grouped.WriteByte('-')
	}
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			grouped.WriteByte(',')
		}
		grouped.WriteRune(d)
	}
	return grouped.String()
}
