// Package evalburn measures the burn-rate rules on simulated counts: how often
// they page where the target is met exactly, with independent events and with
// overdispersed ones, and how soon they page a burn of twice a pair's factor. It
// calls what the product calls: rules.Objectives for the pairs, and
// burn.EvaluateCounts every minute.
package evalburn

import (
	"math"
	"math/rand/v2"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/rules"
)

// Shape is how bad events come.
type Shape string

// The shapes: independent events, events that are bad in clumps of three, and
// minutes or hours whose number of bad events is negative binomial with three
// times the variance of a Poisson number; of hours, the rate of bad events stays
// the same from the first minute to the last.
const (
	Independent Shape = "independent"
	Clumps      Shape = "clumps of 3"
	Varying     Shape = "varying rate, variance x 3"
	Hourly      Shape = "rate varying by the hour, variance x 3"
)

// Shapes returns all of them.
func Shapes() []Shape { return []Shape{Independent, Clumps, Varying, Hourly} }

// Cell is one SLO with its traffic.
type Cell struct {
	Target  float64
	Period  time.Duration
	PerHour float64
	// Overdispersion is what the SLO declares; 0 is the default of 3.
	Overdispersion float64
}

// Grid returns targets of 50 to 99.99 %, periods of 1 to 90 days and an event an
// hour to ten thousand a second; short is a tenth of it.
func Grid(short bool) []Cell {
	targets := []float64{0.5, 0.7, 0.9, 0.95, 0.99, 0.999, 0.9999}
	periods := []int{1, 7, 30, 90}
	rates := []float64{1, 10, 100, 1800, 36_000, 3_600_000, 36_000_000}
	if short {
		targets, periods, rates = []float64{0.5, 0.9, 0.999}, []int{1, 30}, []float64{1, 100, 36_000}
	}
	var all []Cell
	for _, t := range targets {
		for _, p := range periods {
			for _, r := range rates {
				all = append(all, Cell{Target: t, Period: time.Duration(p) * 24 * time.Hour, PerHour: r})
			}
		}
	}
	return all
}

// Objective returns the cell's objective. An error says that no pair can fire.
func (c Cell) Objective() (plumbline.Objective, error) {
	all, err := rules.Objectives([]plumbline.SLO{{
		Name: "s", Model: "m", Owner: "o", Target: c.Target, Period: c.Period, Overdispersion: c.Overdispersion,
		SLI: plumbline.SLI{Kind: plumbline.SLISuccess},
	}})
	if err != nil {
		return plumbline.Objective{}, err
	}
	return all[0], nil
}

// pages returns the pairs that page.
func pages(o plumbline.Objective) []plumbline.WindowPair {
	var all []plumbline.WindowPair
	for _, p := range o.Pairs {
		if p.Severity == plumbline.SeverityPage {
			all = append(all, p)
		}
	}
	return all
}

// FalsePages simulates so many minutes at exactly the target and returns how
// often a page began.
func FalsePages(c Cell, shape Shape, minutes int, seed uint64) (int, error) {
	o, err := c.Objective()
	if err != nil {
		return 0, err
	}
	s := newSimulation(o, pages(o), c.PerHour/60, shape, seed)
	began, before := 0, false
	for range minutes {
		s.step(1 - c.Target)
		now := s.breach()
		if now && !before {
			began++
		}
		before = now
	}
	return began, nil
}

// Detection is how soon one pair pages a burn of twice its factor.
type Detection struct {
	Pair plumbline.WindowPair
	// Bad is the share of bad events.
	Bad float64
	// ExpectedBad is the number of bad events that the long window holds when the
	// burn fills it.
	ExpectedBad float64
	// Closed is the workbook's closed form, Expected and Printed what
	// burn.EvidenceTime says of counts as expected and a standard deviation below;
	// Never says that it says never.
	Closed, Expected, Printed time.Duration
	Never                     bool
	// Median is the median of the simulated times; 0 where none was simulated.
	Median time.Duration
}

// Detections returns the detection of each page pair, simulated runs times.
func Detections(c Cell, runs int, seed uint64) ([]Detection, error) {
	o, err := c.Objective()
	if err != nil {
		return nil, err
	}
	var all []Detection
	for _, p := range pages(o) {
		threshold := p.Threshold(c.Target)
		d := Detection{Pair: p, Bad: min(2*threshold, 1)}
		d.ExpectedBad = c.PerHour * p.Long.Hours() * d.Bad
		d.Closed = time.Duration(threshold / d.Bad * float64(p.Long))
		expected, _ := burn.EvidenceTime(o.SLO, p, c.PerHour, d.Bad, 0)
		printed, ok := burn.EvidenceTime(o.SLO, p, c.PerHour, d.Bad, 1)
		d.Expected, d.Printed, d.Never = expected, printed, !ok
		if ok && runs > 0 {
			d.Median = median(o, p, c, d, runs, seed)
		}
		all = append(all, d)
	}
	return all, nil
}

func median(o plumbline.Objective, p plumbline.WindowPair, c Cell, d Detection, runs int, seed uint64) time.Duration {
	longest := p.Long
	for _, e := range p.Evidence {
		longest = max(longest, e)
	}
	most := int(4*d.Printed/time.Minute) + 10
	times := make([]int, 0, runs)
	for run := range runs {
		s := newSimulation(o, []plumbline.WindowPair{p}, c.PerHour/60, Independent, seed+uint64(run))
		for range int(longest / time.Minute) {
			s.step(1 - c.Target)
		}
		at := most
		for m := 1; m < most; m++ {
			s.step(d.Bad)
			if s.breach() {
				at = m
				break
			}
		}
		times = append(times, at)
	}
	return time.Duration(middle(times)) * time.Minute
}

func middle(times []int) int {
	// Few enough to sort by insertion.
	for i := range times {
		for j := i; j > 0 && times[j] < times[j-1]; j-- {
			times[j], times[j-1] = times[j-1], times[j]
		}
	}
	return times[len(times)/2]
}

// simulation is the minutes of one SLO's traffic.
type simulation struct {
	slo     plumbline.SLO
	pairs   []plumbline.WindowPair
	minute  float64 // events on average
	shape   Shape
	random  *rand.Rand
	hour    float64 // bad events a minute on average, in this hour
	n       int
	bad     []float64 // rings of the longest window
	total   []float64
	lengths []time.Duration
	sums    []burn.Count
	last    burn.Count
	lastAt  int
}

func newSimulation(o plumbline.Objective, pairs []plumbline.WindowPair, minute float64, shape Shape, seed uint64) *simulation {
	s := &simulation{slo: o.SLO, pairs: pairs, minute: minute, shape: shape, random: rand.New(rand.NewPCG(seed, 7))}
	seen := map[time.Duration]bool{}
	var longest time.Duration
	for _, p := range pairs {
		for _, l := range append([]time.Duration{p.Long, p.Short}, p.Evidence...) {
			if !seen[l] {
				seen[l] = true
				s.lengths = append(s.lengths, l)
			}
			longest = max(longest, l)
		}
	}
	s.sums = make([]burn.Count, len(s.lengths))
	s.bad, s.total = make([]float64, int(longest/time.Minute)), make([]float64, int(longest/time.Minute))
	return s
}

// step simulates a minute in which an event is bad with probability p.
func (s *simulation) step(p float64) {
	bad, total := s.draw(p)
	ring := len(s.bad)
	for i, l := range s.lengths {
		sum := &s.sums[i]
		sum.Bad, sum.Total = sum.Bad+bad, sum.Total+total
		if out := s.n - int(l/time.Minute); out >= 0 {
			sum.Bad, sum.Total = sum.Bad-s.bad[out%ring], sum.Total-s.total[out%ring]
		}
		sum.Rows = sum.Total
	}
	s.bad[s.n%ring], s.total[s.n%ring] = bad, total
	if total > 0 {
		s.last, s.lastAt = burn.Count{Bad: bad, Total: total, Rows: total}, s.n
	}
	s.n++
}

func (s *simulation) draw(p float64) (bad, total float64) {
	switch s.shape {
	case Clumps:
		n := poisson(s.random, s.minute/3)
		return 3 * binomial(s.random, n, p), 3 * n
	case Varying:
		total = poisson(s.random, s.minute)
		// A negative binomial number with the variance 3 x mean is a Poisson number
		// of a gamma mean with shape mean / 2.
		if mean := s.minute * p; mean > 0 {
			bad = poisson(s.random, 2*gamma(s.random, mean/2))
		}
		return bad, max(total, bad)
	case Hourly:
		total = poisson(s.random, s.minute)
		if s.n%60 == 0 {
			s.hour = 2 * gamma(s.random, 60*s.minute*p/2) / 60
		}
		bad = poisson(s.random, s.hour)
		return bad, max(total, bad)
	}
	n := poisson(s.random, s.minute)
	return binomial(s.random, n, p), n
}

// breach reports whether a pair pages now. The workbook's condition on the long
// window is looked at first because it costs nothing; the product says the rest.
func (s *simulation) breach() bool {
	for _, p := range s.pairs {
		long := s.of(p.Long)
		if !(long.Bad > p.Threshold(s.slo.Target)*long.Total) {
			continue
		}
		origin := time.Unix(0, 0)
		w := burn.Windows{
			End: origin.Add(time.Duration(s.n) * time.Minute), Of: s.of, Series: 1,
			Last: s.last, LastAt: origin.Add(time.Duration(s.lastAt) * time.Minute),
		}
		if burn.EvaluateCounts(w, s.slo, p).Breach() {
			return true
		}
	}
	return false
}

func (s *simulation) of(length time.Duration) burn.Count {
	for i, l := range s.lengths {
		if l == length {
			return s.sums[i]
		}
	}
	return burn.Count{}
}

// large is from where on a normal number stands for a Poisson or binomial one.
const large = 1000

func poisson(r *rand.Rand, mean float64) float64 {
	if mean > large {
		return max(math.Round(mean+math.Sqrt(mean)*r.NormFloat64()), 0)
	}
	// Pieces keep the exponential from underflowing.
	n := 0.0
	for ; mean > 30; mean -= 30 {
		n += poisson(r, 30)
	}
	limit, product := math.Exp(-mean), r.Float64()
	for product > limit {
		n++
		product *= r.Float64()
	}
	return n
}

func binomial(r *rand.Rand, n, p float64) float64 {
	switch {
	case p >= 1:
		return n
	case n*p > large && n*(1-p) > large:
		return min(max(math.Round(n*p+math.Sqrt(n*p*(1-p))*r.NormFloat64()), 0), n)
	case n > 200 && p < 0.05:
		return min(poisson(r, n*p), n)
	}
	k := 0.0
	for range int(n) {
		if r.Float64() < p {
			k++
		}
	}
	return k
}

// gamma draws from a gamma distribution of scale 1: Marsaglia and Tsang (2000),
// below shape 1 with their boost.
func gamma(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return gamma(r, shape+1) * math.Pow(r.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

// PagedAfter returns how long a share of bad events must last until the first
// page, by the printed evidence times; false if it is never paged.
func PagedAfter(c Cell, bad float64) (time.Duration, bool, error) {
	o, err := c.Objective()
	if err != nil {
		return 0, false, err
	}
	first, found := time.Duration(0), false
	for _, p := range pages(o) {
		if took, ok := burn.EvidenceTime(o.SLO, p, c.PerHour, bad, 1); ok && (!found || took < first) {
			first, found = took, true
		}
	}
	return first, found, nil
}
