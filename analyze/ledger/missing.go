package ledger

import (
	"fmt"
	"math"
	"sort"
	"time"
)

// Missing says which predictions of a model have no label.
type Missing string

const (
	// MissingLate are those whose labels come later, or never. Nobody knows whether
	// they say the same as those that are in: only few of them are taken for that.
	MissingLate Missing = ""
	// MissingRandom are those that a simple random sample of the predictions left
	// out, as the owner declares of the model.
	MissingRandom Missing = "random"
	// MissingChosen are those of which the model's own decisions took the label
	// away. They differ from those that are in.
	MissingChosen Missing = "chosen"
)

// stands reports whether labels that are in stand for those that are missing.
func (o Options) stands(coverage float64) bool {
	switch o.Missing {
	case MissingRandom:
		return true
	case MissingChosen:
		return false
	}
	return coverage >= o.Coverage
}

// over reports whether no more labels of the window of an alarm are awaited. Cells are
// in their order.
func (o Options) over(a Alarm, cells []Cell) bool {
	last := a.To
	if n := len(cells); n > 0 && cells[n-1].Known.Add(time.Hour).After(last) {
		last = cells[n-1].Known.Add(time.Hour)
	}
	return last.Before(o.Awaited)
}

// span is a range in which the quality of a window lies.
type span struct{ low, high float64 }

// within is what of a range lies in another that it overlaps.
func (s span) within(other span) span {
	return span{max(s.low, other.low), min(s.high, other.high)}
}

// String is the range in the words of a reason.
func (s span) String() string {
	if math.IsInf(s.high, 1) {
		return fmt.Sprintf("at least %.4g", s.low)
	}
	return fmt.Sprintf("%.4g to %.4g", s.low, s.high)
}

// truth is what is true of an alarm wherever in a range quality lies.
func (p Promise) truth(s span) Truth {
	switch {
	case s.high < p.Low || s.low > p.High:
		return TruthTrue
	case s.low >= p.Low && s.high <= p.High:
		return TruthFalse
	}
	return TruthUndecided
}

// bounds is the range of quality whatever the missing labels say: none of them right,
// to all of them (Manski 1989). A mean error is least if all of them say that there was
// none, and has no greatest. Deliveries that were repeated count as predictions that
// have no label, which makes it wider.
func (c Cell) bounds(m Measure, requests int64) span {
	all := max(requests, c.Labelled) // requests may be counted later than labels
	missing := all - c.Labelled
	if m != MeanError {
		return span{float64(c.Correct) / float64(all), float64(c.Correct+missing) / float64(all)}
	}
	least := c.Loss / float64(all)
	if missing > 0 {
		return span{least, m.most()}
	}
	return span{least, least}
}

// interval is the quality of the labels that are in, and the 95 % interval of that of
// all predictions, if those with a label are a random choice of them.
func (c Cell) interval(m Measure, requests int64, missing Missing) (quality float64, s span) {
	quality, deviation := c.quality(m)
	if missing == MissingRandom && m != MeanError {
		s = c.drawn(requests)
		// A window of whole predictions may not be able to have just that share.
		return quality, span{min(s.low, quality), max(s.high, quality)}
	}
	half := z95 * deviation * math.Sqrt(max(1-float64(c.Labelled)/float64(requests), 0))
	return quality, span{max(quality-half, 0), min(quality+half, m.most())}
}

// drawn is the 95 % interval of the share of correct predictions of which a simple
// random sample is labelled: the shares under which that many correct ones, or more,
// and that many, or fewer, are both more likely than 2.5 % by the hypergeometric
// distribution (Buonaccorsi 1987, A note on confidence intervals for proportions in
// finite populations, The American Statistician 41). It never covers less. Where
// producers sample, the sample is as large as its rows; a part of a row that is correct
// counts on neither side.
func (c Cell) drawn(requests int64) span {
	sample := min(c.Rows, c.Labelled)
	if sample <= 0 {
		return span{0, 1}
	}
	scale := float64(sample) / float64(c.Labelled)
	all := max(int64(math.Round(float64(requests)*scale)), sample)
	correct := min(max(float64(c.Correct)*scale, 0), float64(sample))
	low := leastOf(int64(math.Floor(correct)), sample, all)
	wrong := leastOf(sample-int64(math.Ceil(correct)), sample, all)
	return span{float64(low) / float64(all), float64(all-wrong) / float64(all)}
}

// leastOf is the least number of hits among all under which a sample has that many, or
// more, with a chance of over 2.5 %. The chance grows with the number.
func leastOf(hits, sample, all int64) int64 {
	unsure := all - sample
	return hits + int64(sort.Search(int(unsure), func(more int) bool { return likely(hits, sample, hits+int64(more), all) }))
}

// likely reports whether a sample has so many hits, or more, with a chance of over
// 2.5 %. Up to the mean it has with one of a half and more: the sum of the
// distribution is one of independent trials (Vatutin and Mikhailov 1982), so that its
// median is next to its mean (Jogdeo and Samuels 1968). Beyond, the chances fall.
func likely(hits, sample, among, all int64) bool {
	c, n, k, rest := float64(hits), float64(sample), float64(among), float64(all-among)
	if c*float64(all) <= n*k {
		return true
	}
	term := math.Exp(choose(k, c) + choose(rest, n-c) - choose(float64(all), n))
	for sum := 0.0; term > sum*1e-15; c++ {
		if sum += term; sum > 0.025 {
			return true
		}
		term *= (k - c) * (n - c) / ((c + 1) * (rest - n + c + 1))
	}
	return false
}

// choose is the logarithm of the number of ways to choose k of n.
func choose(n, k float64) float64 {
	a, _ := math.Lgamma(n + 1)
	b, _ := math.Lgamma(k + 1)
	c, _ := math.Lgamma(n - k + 1)
	return a - b - c
}

// few says that labels are too few to say anything.
func (w window) few(j Judgement) string {
	few := fmt.Sprintf("%d labels are in, %d are needed", j.Rows, w.options.MinLabelled)
	if w.over && !w.options.stands(j.Coverage) {
		return fmt.Sprintf("%.0f %% of the labels never came: %s", 100*(1-j.Coverage), few)
	}
	return few
}

// either says why labels decide nothing. Of those that never came a person reads what
// the others alone would say, which is no verdict: nothing says that they are alike.
func (w window) either(j Judgement, interval span) string {
	left := fmt.Sprintf("%s against %s", span{j.Low, j.High}, w.promise)
	switch {
	case w.options.Missing == MissingRandom:
		return fmt.Sprintf("%d labels of a random sample are too few: they leave %s", j.Rows, left)
	case w.options.stands(j.Coverage):
		return "the labels that are missing could make it either: " + left
	case w.over:
		alone := map[Truth]string{TruthTrue: "would be right", TruthFalse: "would be wrong", TruthUndecided: "could be either"}[w.promise.truth(interval)]
		return fmt.Sprintf("%.0f %% of the labels never came, and could make it either, %s; by those that came alone it %s (%.4g, %s)", 100*(1-j.Coverage), left, alone, j.Quality, interval)
	case w.options.Missing == MissingChosen:
		return "the model's decisions choose which labels come: the others could make it either, " + left
	}
	return fmt.Sprintf("%.0f %% of the labels are in, %.0f %% are needed: the others could make it either, %s", 100*j.Coverage, 100*w.options.Coverage, left)
}
