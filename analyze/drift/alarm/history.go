package alarm

import (
	"fmt"
	"math"

	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
)

// History is what past quiet blocks say of how far a stream strays: the mean of
// the distance, in squared units, beyond the sampling noise of the block.
type History struct {
	// Blocks is how many blocks count, Sum their distances beyond noise; both
	// fade once Blocks exceeds the memory.
	Blocks, Sum float64
	// Recent are the latest distances beyond noise, which do not count yet.
	Recent []float64
}

// outlier is how many times what is expected one block may add at most once
// there is a history: the 99 % point of chi-square with one degree of freedom,
// 6.63. It holds a quiet history's mean down by 3 %, and keeps one bad day from
// becoming usual.
const outlier = 6.63

// add takes a quiet block.
func (h *History) add(n null, c Config) {
	noise := n.noise * n.freedom
	beyond := n.energy - noise
	if n.blocks >= float64(c.Lag) {
		beyond = min(beyond, outlier*(n.level+noise))
	}
	h.Recent = append(h.Recent, beyond)
	for len(h.Recent) > c.Lag {
		if h.Blocks >= c.Memory {
			keep := 1 - 1/c.Memory
			h.Blocks, h.Sum = h.Blocks*keep, h.Sum*keep
		}
		h.Blocks++
		h.Sum += h.Recent[0]
		h.Recent = h.Recent[1:]
	}
}

// drop forgets what does not count yet: the blocks before a ticket may belong to
// what it is about.
func (h *History) drop() { h.Recent = nil }

// counted returns the blocks and the sum that count. While little has become
// history, the recent blocks count as well.
func (h *History) counted(c Config) (blocks, sum float64) {
	blocks, sum = h.Blocks, h.Sum
	if blocks < float64(c.Lag) {
		for _, r := range h.Recent {
			blocks++
			sum += r
		}
	}
	return blocks, sum
}

// worth is how many independent blocks one block of history counts as. The mean
// square of a level with autocorrelation .7 from block to block varies as that
// of (1 - .49) / (1 + .49) = .34 times as many independent ones (Bartlett 1935:
// the autocorrelation of a square is the square of the autocorrelation).
const worth = 1.0 / 3

// null is what is expected of a block.
type null struct {
	// energy is the distance in squared units, effect the least effect in them.
	energy, effect float64
	// noise is the variance of the sampling noise in each of freedom directions.
	noise, freedom float64
	// level is the mean square of a quiet level, student what it is known by,
	// blocks how many blocks of history it rests on.
	level, student, blocks float64
}

// null returns what is expected of a block, false if it says nothing.
func (d *Detector) null(b Block) (null, bool) {
	r := b.Result
	if b.Events < d.cfg.MinEvents || r.Method == measure.None || math.IsNaN(r.Value) || math.IsNaN(r.MinEffect) {
		return null{}, false
	}
	n := null{freedom: max(1, b.Freedom), energy: squared(r.Measure, r.Value), effect: squared(r.Measure, r.MinEffect)}
	n.noise = squared(r.Measure, r.NullMean) / n.freedom
	if squares(r.Measure) {
		n.noise /= rootMean(r.Measure, n.freedom)
	}
	blocks, sum := d.state.History.counted(d.cfg)
	guess, prior := n.effect/4, d.cfg.PriorBlocks
	if blocks > 0 && sum/blocks > guess {
		// A guess that history contradicts is worth that much less.
		prior *= (guess * blocks / sum) * (guess * blocks / sum)
	}
	n.student = prior + worth*blocks
	n.level = (prior*guess + worth*max(0, sum)) / n.student
	n.blocks = blocks
	return n, true
}

// squares reports whether the measure is the root of a sum or a norm, whose
// square is what behaves like chi-square; the others are sums already.
func squares(id measure.ID) bool {
	switch id {
	case measure.PSI, measure.KL, measure.ChiSquare:
		return false
	default:
		return true
	}
}

func squared(id measure.ID, v float64) float64 {
	if squares(id) {
		return v * v
	}
	return v
}

// rootMean is the square of the mean of a root over the mean of its square, at
// the null: of chi-square's root; of Kolmogorov's distribution, whose mean is
// sqrt(pi/2) ln 2 and whose mean square pi^2/12 (Marsaglia, Tsang and Wang 2003,
// eq. 2, integrated); and of the root of the integral of a squared Brownian
// bridge, whose mean is .3781 (see package measure) and whose mean square 1/6.
func rootMean(id measure.ID, freedom float64) float64 {
	switch id {
	case measure.KS:
		return 6 * math.Ln2 * math.Ln2 / math.Pi
	case measure.CramerVonMises:
		return 0.3781 * 0.3781 * 6
	}
	a, _ := math.Lgamma((freedom + 1) / 2)
	b, _ := math.Lgamma(freedom / 2)
	return 2 * math.Exp(2*(a-b)) / freedom
}

// p returns the larger of two p-values: that of the least effect that matters
// under the noise of counts alone, and that of a level that strays as it did. A
// block far below its mean has p-value 1: nobody asks how quiet it was.
func (n null) p() float64 {
	if n.energy <= n.level+n.noise*n.freedom {
		return 1
	}
	usual := spread{scale: math.Sqrt(n.level + n.noise), student: n.student, noise: n.noise, freedom: n.freedom - 1}
	small := spread{shift: math.Sqrt(n.effect), scale: math.Sqrt(n.noise), student: math.Inf(1), noise: n.noise, freedom: n.freedom - 1}
	return max(usual.tail(n.energy), small.tail(n.energy))
}

// usual is the mean distance of a quiet block, in the unit of the measure.
func (n null) usual(id measure.ID) float64 {
	if squares(id) {
		return math.Sqrt(n.level + n.noise*n.freedom)
	}
	return n.level + n.noise*n.freedom
}

func (n null) assumption(c Config) string {
	apart := fmt.Sprintf("blocks of %s that lie %d apart are independent", c.Block, c.Spacing)
	if n.blocks < 1 {
		return fmt.Sprintf("no quiet block is known: quiet blocks stray about half the least effect; %s", apart)
	}
	return fmt.Sprintf("quiet blocks stray as the last %.0f did, normally distributed; %s", n.blocks, apart)
}
