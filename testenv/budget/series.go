package budget

import (
	"math"
	"math/rand/v2"
)

// Scenario is one way in which a quiet feature varies. Its values are normal
// with standard deviation 1 within an hour.
type Scenario struct {
	Name string
	// Season is the amplitude by which the mean of the feature moves with the
	// hour of the day, in standard deviations; Traffic that of the volume, as a
	// share of it; Week is how far the mean moves at the weekend.
	Season, Traffic, Week float64
	// Level is the standard deviation of the level of a day, Carry its
	// autocorrelation from one day to the next, Volume the standard deviation of
	// the logarithm of the day's volume.
	Level, Carry, Volume float64
	// Burst is how many equal values come at once.
	Burst int
}

// Scenarios are the quiet lives that the budget is held against: the four of the
// goal. Season and traffic by 80 %, volumes with a log-normal day level of
// standard deviation .5, bursts of 20.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "iid", Burst: 1},
		{Name: "daily season", Season: 0.8, Traffic: 0.8, Burst: 1},
		{Name: "autoregressive day level", Level: 0.15, Carry: 0.7, Volume: 0.5, Burst: 1},
		{Name: "bursts of 20", Burst: 20},
	}
}

// Harder are lives beyond the goal, to say where the guarantee ends.
func Harder() []Scenario {
	return []Scenario{
		{Name: "weekly season", Season: 0.8, Traffic: 0.8, Week: 0.3, Burst: 1},
		{Name: "day level of .3 sd", Level: 0.3, Carry: 0.7, Volume: 0.5, Burst: 1},
		{Name: "day level with memory .9", Level: 0.15, Carry: 0.9, Volume: 0.5, Burst: 1},
		{Name: "all at once", Season: 0.8, Traffic: 0.8, Week: 0.3, Level: 0.15, Carry: 0.7, Volume: 0.5, Burst: 20},
	}
}

// hours is how many parts a day is drawn in, each of three hours.
const hours = 8

// feature is one feature's life, day by day.
type feature struct {
	s     Scenario
	r     *rand.Rand
	level float64
}

func newFeature(s Scenario, r *rand.Rand) *feature {
	return &feature{s: s, r: r, level: s.Level * r.NormFloat64()}
}

// next moves the level on by a day.
func (f *feature) next() {
	f.level = f.s.Carry*f.level + f.s.Level*math.Sqrt(1-f.s.Carry*f.s.Carry)*f.r.NormFloat64()
}

// draw returns a day's events by part of the day in the cells between the cuts, the mean
// being moved by shift. Bursts arrive as a Poisson process.
func (f *feature) draw(day int, shift, volume float64, cuts []float64) [][]uint64 {
	mean := shift + f.level
	if day%7 >= 5 {
		mean += f.s.Week
	}
	byHour, shares := make([][]uint64, hours), make([]float64, len(cuts)+1)
	for h := range byHour {
		wave := math.Sin(2 * math.Pi * (float64(h) + 0.5) / hours)
		if h == 0 || f.s.Season != 0 {
			normal(shares, cuts, mean+f.s.Season*wave)
		}
		byHour[h] = make([]uint64, len(shares))
		n := poisson(f.r, volume/float64(f.s.Burst)/hours*(1+f.s.Traffic*wave))
		multinomial(f.r, byHour[h], shares, n, uint64(f.s.Burst))
	}
	return byHour
}

// normal fills in the shares of a normal variable between the cuts.
func normal(shares, cuts []float64, mean float64) {
	below := 0.0
	for i, c := range cuts {
		cdf := math.Erfc((mean-c)/math.Sqrt2) / 2
		shares[i] = cdf - below
		below = cdf
	}
	shares[len(cuts)] = 1 - below
}
