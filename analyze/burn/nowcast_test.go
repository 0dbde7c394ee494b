package burn

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

func quality90() plumbline.SLO {
	return plumbline.SLO{Name: "q", Model: "m", Measure: plumbline.MeasureAccuracy, Target: 0.9, Period: 30 * 24 * time.Hour}
}

func TestNowcastPair(t *testing.T) {
	page := func(long, short time.Duration) plumbline.WindowPair {
		return plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: long, Short: short, Factor: 3}
	}
	ticket := plumbline.WindowPair{Severity: plumbline.SeverityTicket, Long: 24 * time.Hour, Short: 2 * time.Hour, Factor: 2}
	for _, tt := range []struct {
		name        string
		pairs       []plumbline.WindowPair
		change      func(*plumbline.SLO)
		long, short time.Duration
	}{
		{"whole hours", []plumbline.WindowPair{ticket, page(6*time.Hour, 30*time.Minute)}, nil, 6 * time.Hour, time.Hour},
		{"as they are", []plumbline.WindowPair{page(24*time.Hour, 2*time.Hour)}, nil, 24 * time.Hour, 2 * time.Hour},
		{"the first that can be", []plumbline.WindowPair{page(90*time.Minute, 5*time.Minute), page(time.Hour, 5*time.Minute)}, nil, time.Hour, time.Hour},
		{"no page", []plumbline.WindowPair{ticket}, nil, 0, 0},
		{"a segment", []plumbline.WindowPair{page(time.Hour, 5*time.Minute)}, func(s *plumbline.SLO) { s.Segment = "a=b" }, 0, 0},
		{"no labels", []plumbline.WindowPair{page(time.Hour, 5*time.Minute)}, func(s *plumbline.SLO) { s.SLI.Kind = plumbline.SLILatency }, 0, 0},
	} {
		slo := quality90()
		if tt.change != nil {
			tt.change(&slo)
		}
		pair, ok := NowcastPair(plumbline.Objective{SLO: slo, Pairs: tt.pairs})
		if ok != (tt.long > 0) || pair.Long != tt.long || pair.Short != tt.short {
			t.Errorf("%s: %s/%s, %t, want %s/%s", tt.name, pair.Long, pair.Short, ok, tt.long, tt.short)
		}
	}
}

func TestTheVerdictOfAGuess(t *testing.T) {
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: time.Hour, Factor: 4}
	bad := Estimate{Predictions: 3000, Known: 100, Share: 0.7, Error: 0.01, ByScores: 0.3, Proven: true, Chance: math.NaN()}
	with := func(g Estimate, change func(*Estimate)) Estimate {
		change(&g)
		return g
	}
	for _, tt := range []struct {
		name        string
		long, short Estimate
		want        string
		beyond      bool
	}{
		{"burning", bad, bad, plumbline.VerdictBreach, true},
		{"not proven", with(bad, func(g *Estimate) { g.Proven = false }), bad, plumbline.VerdictInsufficient, true},
		{"contradicted", with(bad, func(g *Estimate) { g.Contradicted = true }), bad, plumbline.VerdictInsufficient, true},
		{"for its labels alone", with(bad, func(g *Estimate) { g.ByScores = 0.1 }), bad, plumbline.VerdictInsufficient, true},
		{"hardly by its scores", with(bad, func(g *Estimate) { g.ByScores = 0.15 }), bad, plumbline.VerdictInsufficient, true},
		{"by its labels, all of them", with(bad, func(g *Estimate) { g.ByScores, g.Known = 0.1, g.Predictions }), bad, plumbline.VerdictBreach, true},
		{"by the labels of a random sample", with(bad, func(g *Estimate) { g.ByScores, g.Random = 0.1, true }), bad, plumbline.VerdictBreach, true},
		{"the last hour is well", bad, with(bad, func(g *Estimate) { g.Share = 0.39 }), plumbline.VerdictOK, false},
		{"the last hour is empty", bad, with(bad, func(g *Estimate) { g.Why = "no predictions" }), plumbline.VerdictInsufficient, false},
		{"well, and the last hour is empty", with(bad, func(g *Estimate) { g.Share = 0.1 }), with(bad, func(g *Estimate) { g.Why = "no predictions" }), plumbline.VerdictOK, false},
		{"too few to tell", with(bad, func(g *Estimate) { g.Predictions = 30 }), bad, plumbline.VerdictOK, false},
		{"too little known of the labels", with(bad, func(g *Estimate) { g.Error = 0.1 }), bad, plumbline.VerdictOK, false},
		{"nothing", with(bad, func(g *Estimate) { g.Why = "no calibration" }), bad, plumbline.VerdictInsufficient, false},
		{"no predictions", Estimate{Proven: true}, bad, plumbline.VerdictInsufficient, false},
	} {
		n := EvaluateNowcast(quality90(), pair, time.Unix(0, 0), tt.long, tt.short, 1)
		if n.Verdict != tt.want || n.Beyond() != tt.beyond || (n.Verdict == plumbline.VerdictInsufficient) != (n.Why != "") {
			t.Errorf("%s: %s (%s), beyond %t in [%.3f, %.3f], want %s, %t", tt.name, n.Verdict, n.Why, n.Beyond(), n.Low, n.High, tt.want, tt.beyond)
		}
	}
	one, many := EvaluateNowcast(quality90(), pair, time.Unix(0, 0), bad, bad, 1), EvaluateNowcast(quality90(), pair, time.Unix(0, 0), bad, bad, 20)
	if !(many.Low < one.Low) {
		t.Errorf("20 deploys share the noise of one: %.4f, of one %.4f", many.Low, one.Low)
	}
}

// A producer sends every request of which it is sure, all right, and one in a hundred
// of those it doubts, half of them wrong. What is sampled and counted anew a thousand
// times scatters as the spread says, twice as far as that of as many equal
// observations.
func TestASampledNowcastSpreadsAsSamplesDo(t *testing.T) {
	const worlds, requests, doubted, weight = 1000, 130_000, 30_000, 100.
	r := rand.New(rand.NewPCG(72, 72))
	slo := quality90()
	slo.Overdispersion = 1
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: time.Hour, Factor: 1.15}
	sum, squares, spread, kish := 0., 0., 0., 0.
	for range worlds {
		var sure, right, wrong float64
		for range requests {
			switch {
			case r.IntN(requests) >= doubted:
				sure++
			case r.IntN(weight) > 0:
			case r.IntN(2) > 0:
				right++
			default:
				wrong++
			}
		}
		n := sure + weight*(right+wrong)
		m := weight * wrong / n
		g := Estimate{Predictions: int64(sure + right + wrong), Share: m, Requests: n, Effective: n * n / (sure + weight*weight*(right+wrong)), Proven: true}
		g.Known = g.Predictions
		g.Sampling = math.Sqrt((weight*weight-weight)*(wrong*(1-m)*(1-m)+right*m*m)) / n
		sum, squares = sum+m, squares+m*m
		spread += EvaluateNowcast(slo, pair, time.Unix(0, 0), g, g, 1).spread(slo) / worlds
		kish += math.Sqrt(m*(1-m)/g.Effective) / worlds
	}
	sd := math.Sqrt(squares/worlds - sum*sum/worlds/worlds)
	// Four standard errors of the standard deviation of 1,000 draws are 9 %.
	if math.Abs(spread/sd-1) > 0.09 {
		t.Errorf("the spread is %.5f, shares scatter by %.5f", spread, sd)
	}
	if kish > 0.6*sd {
		t.Errorf("as many equal observations scatter by %.5f, too: the test tests nothing", kish)
	}
}

// At exactly the target, and a threshold that is the target's own, windows of any
// size page less than once a year: counted exactly, by the binomial distribution of
// clumps of three, on windows whose labels are all known, where nothing else widens
// the bound.
func TestANowcastAtTheTargetStaysWithinItsNoise(t *testing.T) {
	for _, target := range []float64{0.5, 0.7, 0.9, 0.95, 0.99} {
		for _, clumps := range []int64{7, 30, 100, 400} {
			slo := quality90()
			slo.Target = target
			pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: time.Hour, Factor: 1}
			least := int64(-1) // clumps that page
			for k := clumps; k >= 0; k-- {
				g := Estimate{Predictions: 3 * clumps, Known: 3 * clumps, Share: float64(k) / float64(clumps), Proven: true}
				if EvaluateNowcast(slo, pair, time.Unix(0, 0), g, g, 1).Verdict != plumbline.VerdictBreach {
					break
				}
				least = k
			}
			if least < 0 {
				continue // so few that nothing pages
			}
			if perYear := hoursPerYear * binomialTail(clumps, least, 1-target); perYear > 1 {
				t.Errorf("target %g, %d clumps: %d of them page, which %.3g hours a year have", target, clumps, least, perYear)
			}
		}
	}
}

// binomialTail is P(Bin(n, p) >= k), in whole numbers.
func binomialTail(n, k int64, p float64) float64 {
	rate := new(big.Float).SetPrec(256).SetFloat64(p)
	rest := new(big.Float).SetPrec(256).Sub(big.NewFloat(1).SetPrec(256), rate)
	power := func(x *big.Float, times int64) *big.Float {
		out := big.NewFloat(1).SetPrec(256)
		for range times {
			out.Mul(out, x)
		}
		return out
	}
	sum := new(big.Float).SetPrec(256)
	for i := k; i <= n; i++ {
		term := new(big.Float).SetPrec(256).SetInt(new(big.Int).Binomial(n, i))
		sum.Add(sum, term.Mul(term, power(rate, i)).Mul(term, power(rest, n-i)))
	}
	out, _ := sum.Float64()
	return out
}
