package flights

import (
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

func testPair() plumbline.WindowPair {
	return plumbline.WindowPair{Severity: "page", Long: 6 * time.Hour, Short: 30 * time.Minute, BudgetShare: 0.02, Factor: 0.02 * 28 * 24 / 6}
}

func testSLO() plumbline.SLO {
	return plumbline.SLO{Name: "accuracy", Model: "flight-delay", Target: 0.7, Period: 28 * 24 * time.Hour, MinCoverage: 0.3}
}

// naiveBurn recounts one minute from the flights alone, without the windows'
// running sums.
func naiveBurn(r *Replay, version int, now minute, pair plumbline.WindowPair, coverage float64) (w BurnWindow, ok bool) {
	for end := now; end > now-maxLag; end-- {
		made, labelled := 0, 0
		w = BurnWindow{End: r.moved(end)}
		for i := r.lo; i < r.hi && r.data.departure[i] <= end; i++ {
			if r.serving(i) != version || r.data.departure[i] <= end-minutesOf(pair.Long) {
				continue
			}
			short := r.data.departure[i] > end-minutesOf(pair.Short)
			if short {
				made++
			}
			if r.data.landing(i) > now {
				continue
			}
			w.LongLabelled++
			if short {
				labelled++
				w.ShortLabelled++
			}
			if r.wrong(i) {
				w.LongBad++
				if short {
					w.ShortBad++
				}
			}
		}
		if made > 0 && float64(labelled) >= coverage*float64(made) {
			w.Bound = wilsonLower(w.LongBad, w.LongLabelled)
			return w, true
		}
	}
	return BurnWindow{}, false
}

func TestBurnEqualsBruteForce(t *testing.T) {
	r := syntheticReplay(t)
	pair, slo := testPair(), testSLO()
	compared := 0
	for version, deploy := range []plumbline.DeployHash{r.About().Good, r.About().Faulty} {
		for now := r.fault - 60; now < r.fault+400; now += 37 {
			want, ok := naiveBurn(r, version, now, pair, slo.MinCoverage)
			good, faulty := r.Burn(slo, pair, r.moved(now))
			got := []Burn{good, faulty}[version]
			if got.Deploy != deploy {
				t.Fatalf("burn of %s, want %s", got.Deploy, deploy)
			}
			if !ok {
				continue
			}
			compared++
			if got.Last != want {
				t.Fatalf("%s at %s: %+v, brute force %+v", deploy, r.moved(now), got.Last, want)
			}
		}
	}
	if compared < 10 {
		t.Errorf("only %d minutes were compared", compared)
	}
}

func TestFirstBurnIsTheFirstMinuteOverTheThreshold(t *testing.T) {
	r := syntheticReplay(t)
	slo, pair := testSLO(), testPair()
	slo.Target = 0.82 // threshold 0.40: these flights burn less than the real ones
	_, faulty := r.Burn(slo, pair, r.cfg.Now.Add(12*time.Hour))
	if faulty.First.IsZero() {
		t.Fatalf("the faulty deploy never burns: %+v", faulty)
	}
	value := func(at time.Time) float64 {
		w, ok := naiveBurn(r, versionFaulty, r.original(at), pair, slo.MinCoverage)
		if !ok {
			return 0
		}
		return min(w.Bound, w.ShortShare())
	}
	if v := value(faulty.First); v <= pair.Threshold(slo.Target) {
		t.Errorf("at First the value is %g, not over %g", v, pair.Threshold(slo.Target))
	}
	if v := value(faulty.First.Add(-time.Minute)); v > pair.Threshold(slo.Target) {
		t.Errorf("a minute before First the value is %g already", v)
	}
}

// The wanted values are SciPy's binomtest(bad, n).proportion_ci(method="wilson").
func TestWilsonLower(t *testing.T) {
	for _, c := range []struct {
		bad, n int
		want   float64
	}{{0, 0, 0}, {0, 10, 0}, {5, 10, 0.236593090512564}, {816, 1065, 0.7398485665583562}, {10, 10, 0.7224672001371109}} {
		if got := wilsonLower(c.bad, c.n); !near(got, c.want, 1e-12) {
			t.Errorf("%d of %d: %.12f, want %.12f", c.bad, c.n, got, c.want)
		}
	}
}
