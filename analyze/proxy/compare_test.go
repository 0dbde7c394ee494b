package proxy

import (
	"math"
	"math/rand/v2"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// scipy 1.17.1: 2*stats.t.sf(abs(t), df).
func TestStudentTail(t *testing.T) {
	for _, c := range []struct{ t, df, want float64 }{
		{0.5, 3, 0.651447964848151}, {2, 9, 0.07655282377070101}, {5, 17, 0.00010957825046294128},
		{8, 8, 4.3668260313280225e-05}, {-3, 7, 0.019942126131992536}, {0, 5, 1},
	} {
		if got := metric.StudentTail(c.t, c.df); math.Abs(got/c.want-1) > 1e-9 {
			t.Errorf("t = %v, df = %v: %v, want %v", c.t, c.df, got, c.want)
		}
	}
}

// weeks makes a KPI of one value now and those of the weeks before, the latest
// first.
func weeks(values ...float64) Figure {
	f := Figure{Measure: plumbline.MeasureKPI}
	for _, v := range values {
		r := Reading{Value: v, Count: 24, Hours: 24}
		if math.IsNaN(v) {
			r = Reading{Value: v}
		}
		f.Weeks = append(f.Weeks, r)
	}
	return f
}

// The oracle is scipy 1.17.1: with past = [100,104,98,101,97,103,99,102],
// se = np.std(past, ddof=1)*np.sqrt(1+1/8), p = 2*stats.t.sf(|x-mean|/se, 7),
// and x -+ stats.t.ppf(.975, 7)*se.
func TestCompareIsAPredictionInterval(t *testing.T) {
	for _, c := range []struct{ x, p, low, high float64 }{
		{101, 0.8528538717240355, 94.85652598314765, 107.14347401685235},
		{110, 0.008107252082145971, 103.85652598314765, 116.14347401685235},
		{90, 0.004923804252201666, 83.85652598314765, 96.14347401685235},
	} {
		r, ok := Compare(weeks(c.x, 100, 104, 98, 101, 97, 103, 99, 102), Options{Alpha: 0.006, MinEffect: 0.05, MinWeeks: 4})
		if !ok || math.Abs(r.P-c.p) > 1e-9 || math.Abs(r.Low-c.low) > 1e-6 || math.Abs(r.High-c.high) > 1e-6 || r.Expected != 100.5 || r.Effect != c.x-100.5 {
			t.Errorf("%v: %+v, want p %v in [%v, %v]", c.x, r, c.p, c.low, c.high)
		}
		want := plumbline.VerdictOK
		if c.x == 90 {
			want = plumbline.VerdictBreach
		}
		if r.Verdict != want {
			t.Errorf("%v is %s, want %s", c.x, r.Verdict, want)
		}
	}
}

func TestCompareSaysWhatItCannotSay(t *testing.T) {
	nan := math.NaN()
	short := weeks(5, 100, 101, 99, 100)
	short.Weeks[0].Hours = 11
	for name, tt := range map[string]struct {
		figure  Figure
		verdict string // empty: nothing is said
		weeks   int
	}{
		"three weeks":                    {weeks(5, 100, 101, 99, nan, nan), plumbline.VerdictInsufficient, 3},
		"no week":                        {weeks(5, nan, nan, nan), plumbline.VerdictInsufficient, 0},
		"missing":                        {weeks(nan, 100, 101, 99, 100), plumbline.VerdictMissing, 4},
		"missing after one week":         {weeks(nan, 100, nan, nan, nan), plumbline.VerdictMissing, 1},
		"given up three weeks ago":       {weeks(nan, nan, nan, nan, 100), "", 1},
		"never":                          {weeks(nan, nan, nan), "", 0},
		"half a day":                     {short, plumbline.VerdictInsufficient, 4},
		"always the same":                {weeks(7, 7, 7, 7, 7), plumbline.VerdictOK, 4},
		"another than always the same":   {weeks(8, 7, 7, 7, 7), plumbline.VerdictInsufficient, 4},
		"always a tenth, then another":   {weeks(0.2, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1), plumbline.VerdictInsufficient, 6},
		"beyond noise and too small":     {weeks(100.5, 100, 100.01, 99.99, 100.001, 99.999), plumbline.VerdictOK, 5},
		"beyond noise and large enough":  {weeks(106, 100, 100.01, 99.99, 100.001, 99.999), plumbline.VerdictBreach, 5},
		"a week with holes says nothing": {withHours(weeks(106, 1, 100.01, 99.99, 100.001, 99.999), 1, 5), plumbline.VerdictBreach, 4},
	} {
		r, ok := Compare(tt.figure, Options{Alpha: 0.001, MinEffect: 0.05, MinWeeks: 4})
		if ok != (tt.verdict != "") || ok && (r.Verdict != tt.verdict || r.Weeks != tt.weeks) {
			t.Errorf("%s: %+v, %v; want %q of %d weeks", name, r, ok, tt.verdict, tt.weeks)
		}
		if r.Verdict == plumbline.VerdictInsufficient && !math.IsNaN(r.P) || r.Verdict == plumbline.VerdictMissing && !math.IsNaN(r.Value) {
			t.Errorf("%s: %+v says more than is known", name, r)
		}
	}
}

func withHours(f Figure, week, hours int) Figure {
	f.Weeks[week].Hours = hours
	return f
}

// Eight quiet weeks alarm as often as Alpha says, and no more where the events of
// a window vary by more than the weeks do. The bound is six standard errors of the
// simulation above Alpha.
func TestNoiseIsNoBreach(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const rounds, alpha = 5_000, 0.05
	for name, within := range map[string]float64{"weeks vary": 0, "weeks are alike by chance": 4} {
		breaches := 0
		for range rounds {
			var values []float64
			for range 9 {
				values = append(values, 50+r.NormFloat64())
			}
			f := weeks(values...)
			for i := range f.Weeks {
				f.Weeks[i].Variance = within
			}
			if found, _ := Compare(f, Options{Alpha: alpha, MinWeeks: 4}); found.Verdict == plumbline.VerdictBreach {
				breaches++
			}
		}
		limit := rounds*alpha + 6*math.Sqrt(rounds*alpha)
		if float64(breaches) > limit || within == 0 && float64(breaches) < rounds*alpha-6*math.Sqrt(rounds*alpha) {
			t.Errorf("%s: %d of %d quiet windows are a breach, want %v or so", name, breaches, rounds, rounds*alpha)
		}
	}
}
