package cause_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/cause"
)

func close(t *testing.T, what string, got, want float64) {
	t.Helper()
	if !(math.Abs(got-want) <= 1e-12) {
		t.Errorf("%s is %.15g, want %.15g", what, got, want)
	}
}

func decompose(t *testing.T, cells ...cause.Cell) cause.Decomposition {
	t.Helper()
	d, err := cause.Decompose(cells)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// By hand: shares 0.5, 0.5 become 0.25, 0.75; rates 0.9, 0.6 become 0.9, 0.5. Before
// 0.75, after 0.6; centre 0.675. a: rate 0, mix -0.25*(0.9-0.675); b: rate
// 0.625*(-0.1), mix 0.25*(0.55-0.675).
func TestMixAndRateByHand(t *testing.T) {
	d := decompose(t, cause.Cell{Name: "a", BeforeN: 100, AfterN: 100, BeforeSum: 90, AfterSum: 90},
		cause.Cell{Name: "b", BeforeN: 100, AfterN: 300, BeforeSum: 60, AfterSum: 150})
	close(t, "the change", d.Change, -0.15)
	close(t, "all mix", d.Mix, -0.25*0.225-0.25*0.125)
	close(t, "all rate", d.Rate, -0.0625)
	close(t, "mix and rate", d.Mix+d.Rate, d.Change)
	if d.Parts[0].Name != "b" {
		t.Errorf("most is said to be by %q", d.Parts[0].Name)
	}
	close(t, "mix of a", d.Parts[1].Mix, -0.05625)
	close(t, "rate of a", d.Parts[1].Rate, 0)
	close(t, "rate of b", d.Parts[0].Rate, -0.0625)
}

func TestPureMixAndPureRate(t *testing.T) {
	mix := decompose(t, cause.Cell{Name: "good", BeforeN: 80, AfterN: 20, BeforeSum: 80, AfterSum: 20},
		cause.Cell{Name: "bad", BeforeN: 20, AfterN: 80})
	close(t, "change of rates where only shares moved", mix.Rate, 0)
	close(t, "mix", mix.Mix, -0.6)
	rate := decompose(t, cause.Cell{Name: "broken", BeforeN: 50, AfterN: 500, BeforeSum: 45, AfterSum: 100},
		cause.Cell{Name: "well", BeforeN: 50, AfterN: 500, BeforeSum: 45, AfterSum: 450})
	close(t, "mix where only a rate moved", rate.Mix, 0)
	close(t, "the broken one's part", rate.Parts[0].Total, rate.Change)
	fresh := decompose(t, cause.Cell{Name: "old", BeforeN: 100, AfterN: 100, BeforeSum: 90, AfterSum: 90}, cause.Cell{Name: "new", AfterN: 100, AfterSum: 50})
	close(t, "rate of a part that is new", fresh.Rate, 0)
	close(t, "mix of a new part and its counterpart", fresh.Mix, -0.2)
	if p := fresh.Parts[0]; !math.IsNaN(p.BeforeRate) && !math.IsNaN(fresh.Parts[1].BeforeRate) {
		t.Errorf("a rate of nothing is %g", p.BeforeRate)
	}
}

func TestPartsSumToTheChange(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for range 2000 {
		cells := make([]cause.Cell, 1+rng.IntN(30))
		for i := range cells {
			c := &cells[i]
			c.BeforeN, c.AfterN = int64(rng.IntN(1000)), int64(rng.IntN(1000))
			if rng.IntN(4) == 0 {
				c.BeforeN = 0
			}
			c.BeforeSum, c.AfterSum = float64(c.BeforeN)*rng.Float64(), float64(c.AfterN)*rng.Float64()
		}
		cells[0].BeforeN, cells[0].AfterN = 1, 1
		d := decompose(t, cells...)
		sum := 0.0
		for i, p := range d.Parts {
			sum += p.Total
			if i > 0 && math.Abs(p.Total) > math.Abs(d.Parts[i-1].Total) {
				t.Fatal("parts are not in order")
			}
		}
		close(t, "the sum of the parts", sum, d.Change)
		close(t, "mix and rate", d.Mix+d.Rate, d.Change)
	}
}

// The standard errors against the spread of parts over repeated draws.
func TestErrorsAreTheSpreadOfDraws(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	shares, rates := [2][2]float64{{0.3, 0.5}, {0.7, 0.5}}, [2][2]float64{{0.9, 0.7}, {0.6, 0.6}}
	var mixes, rateParts []float64
	var mixError, rateError float64
	const draws = 600
	for range draws {
		cells := []cause.Cell{{Name: "a"}, {Name: "b"}}
		for period := range 2 {
			for range 800 {
				i := 0
				if rng.Float64() > shares[0][period] {
					i = 1
				}
				hit := 0.0
				if rng.Float64() < rates[i][period] {
					hit = 1
				}
				if period == 0 {
					cells[i].BeforeN, cells[i].BeforeSum = cells[i].BeforeN+1, cells[i].BeforeSum+hit
				} else {
					cells[i].AfterN, cells[i].AfterSum = cells[i].AfterN+1, cells[i].AfterSum+hit
				}
			}
		}
		for _, p := range decompose(t, cells...).Parts {
			if p.Name == "a" {
				mixes, rateParts = append(mixes, p.Mix), append(rateParts, p.Rate)
				mixError, rateError = mixError+p.MixError/draws, rateError+p.RateError/draws
			}
		}
	}
	for what, x := range map[string]struct {
		values []float64
		said   float64
	}{"mix": {mixes, mixError}, "rate": {rateParts, rateError}} {
		mean, squares := 0.0, 0.0
		for _, v := range x.values {
			mean += v / draws
		}
		for _, v := range x.values {
			squares += (v - mean) * (v - mean) / draws
		}
		if spread := math.Sqrt(squares); x.said < 0.85*spread || x.said > 1.35*spread {
			t.Errorf("the error of the %s is said to be %g, and is %g", what, x.said, spread)
		}
	}
}

func TestWhatCannotBeSplitIsRefused(t *testing.T) {
	for name, cells := range map[string][]cause.Cell{
		"nothing":        nil,
		"no labels yet":  {{Name: "a", BeforeN: 5}},
		"negative":       {{Name: "a", BeforeN: -5, AfterN: 5}},
		"not a number":   {{Name: "a", BeforeN: 5, AfterN: 5, AfterSum: math.NaN()}},
		"beyond numbers": {{Name: "a", BeforeN: 5, AfterN: 5, AfterSum: math.Inf(1)}},
	} {
		if _, err := cause.Decompose(cells); err == nil {
			t.Errorf("%s is decomposed", name)
		}
	}
	// A loss has no error of hits.
	d := decompose(t, cause.Cell{Name: "a", BeforeN: 5, AfterN: 5, BeforeSum: 50, AfterSum: 70})
	if !math.IsNaN(d.Parts[0].RateError) {
		t.Errorf("a mean loss of 10 has the error %g", d.Parts[0].RateError)
	}
}
