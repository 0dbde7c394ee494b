package measure

import (
	"math"
	"math/rand/v2"
)

// normalVariance is the variance of a hypergeometric count from which it is
// drawn as a rounded normal one.
const normalVariance = 9

// splitter draws splits of pooled counts.
type splitter struct {
	r        *rand.Rand
	pooled   []uint64
	n, total uint64
	x        []uint64
	logs     *factorials
	rules    []rule
}

// rule holds what does not change from draw to draw of one cell: what is left of
// all events when its turn comes is always the same.
type rule struct {
	total uint64
	// mean and variance are to be multiplied by the events left of the reference,
	// the latter by those left of the current sample, too; third is a sixth of
	// the part of the cell in the skewness, share one over total.
	mean, variance, third, share float64
}

func newSplitter(r *rand.Rand, pooled []uint64, n uint64) *splitter {
	s := &splitter{r: r, pooled: pooled, n: n, x: make([]uint64, len(pooled)), rules: make([]rule, len(pooled))}
	for _, t := range pooled {
		s.total += t
	}
	s.logs = newFactorials(s.total)
	rest := s.total
	for i, c := range pooled {
		t, total := float64(c), float64(rest)
		s.rules[i] = rule{total: rest, mean: t / total, share: 1 / total, third: (1 - 2*t/total) / 6}
		if rest > 1 {
			s.rules[i].variance = t * (total - t) / (total * total * (total - 1))
		}
		rest -= c
	}
	return s
}

// draw fills x with the reference's part of each pooled count.
func (s *splitter) draw() {
	left := s.n
	for i, t := range s.pooled {
		s.x[i] = s.part(t, left, &s.rules[i])
		left -= s.x[i]
	}
}

// part returns how many of t events fall among the n that are left of the
// reference.
func (s *splitter) part(t, n uint64, r *rule) uint64 {
	switch {
	case t == 0 || n == 0:
		return 0
	case t == r.total:
		return n
	case n == r.total:
		return t
	}
	of, others := float64(n), float64(r.total-n)
	if variance := of * others * r.variance; variance >= normalVariance {
		// Normal with the count's own skewness (Cornish & Fisher 1938), rounded,
		// which adds a twelfth to the variance.
		u := s.r.NormFloat64()
		v := math.Floor(of*r.mean + math.Sqrt(variance-1.0/12)*u + (1-2*of*r.share)*r.third*(u*u-1) + 0.5)
		least := max(0, float64(t)-others)
		return uint64(min(max(v, least), float64(min(t, n))))
	}
	if t <= 12 {
		return s.byEvent(t, n, r.total)
	}
	h := newHypergeometric(t, n, r.total)
	h.logs = s.logs
	return h.invert(s.r.Float64())
}

func (s *splitter) byEvent(t, n, total uint64) uint64 {
	var x uint64
	for range t {
		if s.r.Uint64N(total) < n {
			x++
			n--
		}
		total--
	}
	return x
}

// hypergeometric is the distribution of the number of t events that fall among
// the n of total.
type hypergeometric struct {
	t, n, total, mean, variance, least, most float64
	logs                                     *factorials // may be nil
}

func newHypergeometric(t, n, total uint64) hypergeometric {
	h := hypergeometric{t: float64(t), n: float64(n), total: float64(total)}
	share := h.n / h.total
	h.mean = h.t * share
	h.variance = h.mean * (1 - share) * (h.total - h.t) / (h.total - 1)
	h.least = max(0, h.t+h.n-h.total)
	h.most = min(h.t, h.n)
	return h
}

// near returns the probability of a count next to the mean by Loader's form of
// the binomial (2000, eq. 4), without logarithms of factorials: three binomial
// probabilities make a hypergeometric one.
func (h hypergeometric) near(x float64) float64 {
	y := h.n - x
	rest := h.total - h.t
	if x < 1 || h.t-x < 1 || y < 1 || rest-y < 1 {
		return h.at(x)
	}
	p := h.n / h.total
	q := 1 - p
	e := leftover(h.t) - leftover(x) - leftover(h.t-x) +
		leftover(rest) - leftover(y) - leftover(rest-y) -
		leftover(h.total) + leftover(h.n) + leftover(h.total-h.n) -
		deviance(x, h.t*p) - deviance(h.t-x, h.t*q) - deviance(y, rest*p) - deviance(rest-y, rest*q)
	scale := h.t / (x * (h.t - x)) * rest / (y * (rest - y)) * h.n * (h.total - h.n) / h.total
	return math.Exp(e) * math.Sqrt(scale/(2*math.Pi))
}

// deviance is x ln(x/m) + m - x, Loader's D0 times m.
func deviance(x, m float64) float64 {
	r := (x - m) / m
	if math.Abs(r) < 0.02 {
		return m * r * r * (1.0/2 - r*(1.0/6-r*(1.0/12-r/20)))
	}
	return m * ((1+r)*math.Log1p(r) - r)
}

// leftover is what Stirling's formula leaves of ln k!.
func leftover(k float64) float64 {
	if k < float64(len(leftovers)) {
		return leftovers[int(k)]
	}
	return stirling(k)
}

// leftovers are ln k! - ((k+1/2) ln k - k + ln(2 pi)/2) for k = 1...9, and 0.
var leftovers = [...]float64{0, 0.08106146679532733, 0.04134069595540901, 0.027677925684998606, 0.020790672103764507, 0.016644691189823035, 0.013876128823071987, 0.011896709945892425, 0.010411265261973668, 0.00925546218270945}

// at returns the probability of x.
func (h hypergeometric) at(x float64) float64 {
	return math.Exp(h.lnChoose(h.t, x) + h.lnChoose(h.total-h.t, h.n-x) - h.lnChoose(h.total, h.n))
}

func (h hypergeometric) lnChoose(n, k float64) float64 {
	return h.lnFactorial(n) - h.lnFactorial(k) - h.lnFactorial(n-k)
}

func (h hypergeometric) lnFactorial(n float64) float64 {
	if h.logs != nil && n < float64(h.logs.most) {
		return h.logs.ln(int(n))
	}
	if n < 10 {
		g, _ := math.Lgamma(n + 1)
		return g
	}
	return (n+0.5)*math.Log(n) - n + 0.91893853320467274178 + stirling(n)
}

// factorials are ln 0! to at most ln 4095!, and none above the total. They are
// added up as they are needed: where cells are small, few are.
type factorials struct {
	logs []float64
	most int
}

func newFactorials(total uint64) *factorials {
	return &factorials{most: int(min(total+1, 4096))}
}

// ln returns ln n!.
func (f *factorials) ln(n int) float64 {
	for i := len(f.logs); i <= n; i++ {
		last := 0.0
		if i > 0 {
			last = f.logs[i-1] + math.Log(float64(i))
		}
		f.logs = append(f.logs, last)
	}
	return f.logs[n]
}

// up returns the ratio of the probability of x+1 to that of x.
func (h hypergeometric) up(x float64) float64 {
	return (h.t - x) * (h.n - x) / ((x + 1) * (h.total - h.t - h.n + x + 1))
}

// mode returns the most probable count.
func (h hypergeometric) mode() float64 {
	return min(max(math.Floor((h.t+1)*(h.n+1)/(h.total+2)), h.least), h.most)
}

// invert returns the count at which u is used up, taking probabilities outwards
// from the mode, which needs the fewest steps.
func (h hypergeometric) invert(u float64) uint64 {
	mode := h.mode()
	low, high := mode, mode
	pl := h.near(mode)
	ph := pl
	for u -= pl; u > 0; {
		moved := false
		if high < h.most {
			ph *= h.up(high)
			high++
			if u -= ph; u <= 0 {
				return uint64(high)
			}
			moved = ph > 0
		}
		if low > h.least {
			pl /= h.up(low - 1)
			low--
			if u -= pl; u <= 0 {
				return uint64(low)
			}
			moved = moved || pl > 0
		}
		if !moved {
			break
		}
	}
	return uint64(mode)
}

// list returns the counts and their probabilities, outwards from the mode until
// they are nine standard deviations away or vanish, and to the observed one in
// any case.
func (h hypergeometric) list(observed float64) (counts []uint64, weights []float64) {
	const vanishing = 1e-300
	mode := h.mode()
	reach := 9*math.Sqrt(h.variance) + 2
	if h.variance < 30 {
		reach = math.Inf(1) // skew, and few anyway
	}
	least, most := max(h.least, min(mode-reach, observed)), min(h.most, max(mode+reach, observed))
	for k, p := mode, h.at(mode); k <= most && p > vanishing; k++ {
		counts, weights = append(counts, uint64(k)), append(weights, p)
		p *= h.up(k)
	}
	for k, p := mode, h.at(mode); k > least; k-- {
		if p /= h.up(k - 1); p <= vanishing {
			break
		}
		counts, weights = append(counts, uint64(k-1)), append(weights, p)
	}
	return counts, weights
}
