package burn

import (
	"math"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// TestNoiseAgainstScipy holds tails to values of scipy 1.x:
//
//	python3 -c "from scipy.special import betainc; print(betainc(6, 342, .001))"
func TestNoiseAgainstScipy(t *testing.T) {
	tests := []struct {
		a, b, x, want float64
	}{
		{6, 342, 0.001, 1.7344882553874758e-06},
		{5, 342, 0.001, 3.024398753729819e-05},
		{2, 113.67, 0.001, 0.006047644036498586},
		{20, 30, 0.3, 0.0699870933005072},
		{0.33, 10, 0.02, 0.6230629666259893},
		{35, 0.17, 0.6666666666666666, 1.5674096473370414e-08},
		{1800, 400, 0.8, 0.01505079571965714},
		{18003600.0, 17996400.0, 0.5, 0.115069666747961},
		{1.5, 2.5, 0.9, 0.9937926042795521},
	}
	for _, tt := range tests {
		if got := betaRegularized(tt.a, tt.b, tt.x); math.Abs(got-tt.want) > 2e-7*tt.want {
			t.Errorf("I_%g(%g, %g) = %g, want %g", tt.x, tt.a, tt.b, got, tt.want)
		}
	}
}

// pmf returns the chances of 0, 1, ... events.
type pmf func(x int) float64

func logGamma(v float64) float64 { l, _ := math.Lgamma(v); return l }

func binomial(n, p float64) pmf {
	return func(x int) float64 {
		k := float64(x)
		if k > n {
			return 0
		}
		return math.Exp(logGamma(n+1) - logGamma(k+1) - logGamma(n-k+1) + k*math.Log(p) + (n-k)*math.Log1p(-p))
	}
}

// negative has the mean and three times the variance of a Poisson number.
func negative(mean float64) pmf {
	return func(x int) float64 {
		k, r := float64(x), mean/2
		return math.Exp(logGamma(k+r) - logGamma(k+1) - logGamma(r) + k*math.Log(2.0/3) - r*math.Log(3))
	}
}

// start is the chance that k are reached in a minute that were not the minute
// before, of independent minutes: what both windows have has one distribution, the
// minute that leaves and the one that comes another.
func start(common, minute pmf, k int) float64 {
	sum := 0.0
	for m := range k {
		fewer := 0.0
		for x := range k - m {
			fewer += minute(x)
		}
		more := 0.0
		for x := k - m; x < k-m+500; x++ {
			more += minute(x)
		}
		sum += common(m) * fewer * more
	}
	return sum
}

// TestNoiseBoundsTheStartsOfAMinute enumerates what starts: the bound is never
// below, and little above.
func TestNoiseBoundsTheStartsOfAMinute(t *testing.T) {
	for _, tt := range []struct {
		name           string
		k, total, phi  float64
		budget         float64
		common, minute pmf
		clump          int
		most           float64
	}{
		{"independent", 6, 360, 1, 0.001, binomial(354, 0.001), binomial(6, 0.001), 1, 1.01},
		{"independent, many", 70, 3600, 1, 0.01, binomial(3540, 0.01), binomial(60, 0.01), 1, 1.5},
		{"a rate that varies, few", 26, 1800, 3, 0.001, negative(1.77), negative(0.03), 1, 1.02},
		{"a rate that varies, many", 110, 36000, 3, 0.001, negative(35.4), negative(0.6), 1, 1.2},
		{"clumps, beside which the rate that varies is worse", 27, 3600, 3, 0.002, binomial(1180, 0.002), binomial(20, 0.002), 3, math.Inf(1)},
		{"clumps at a low target", 51, 180, 3, 0.1, binomial(59, 0.1), binomial(1, 0.1), 3, math.Inf(1)},
	} {
		exact := start(tt.common, tt.minute, (int(tt.k)+tt.clump-1)/tt.clump)
		if got := Noise(tt.k, tt.total, tt.budget, tt.phi, time.Hour); got < exact*(1-1e-6) || got > exact*tt.most {
			t.Errorf("%s: %g, what starts is %g", tt.name, got, exact)
		}
	}
	// Fewer than one event a minute: the last of seven bad ones came in this minute.
	want := 20.0 / 60 * 0.1 * binomial(19, 0.1)(6)
	if got := Noise(7, 20, 0.1, 1, time.Hour); math.Abs(got-want) > 1e-9*want {
		t.Errorf("of twenty events an hour: %g, want %g", got, want)
	}
}

func TestNoise(t *testing.T) {
	const n, p, k = 347, 0.001, 6
	if worse, independent := Noise(k, n, p, 3, time.Hour), Noise(k, n, p, 1, time.Hour); !(worse > 100*independent) {
		t.Errorf("overdispersion makes it %g, not much more than %g", worse, independent)
	}
	for _, bad := range []float64{0, n * p, 0.3} {
		if got := Noise(bad, n, p, 3, time.Hour); got != 1 {
			t.Errorf("%v bad events, as many as allowed, are noise with %g", bad, got)
		}
	}
	if got := Noise(3, 0, p, 3, time.Hour); got != 1 {
		t.Errorf("nothing came in: %g", got)
	}
}

func steady(perHour, bad float64, slo plumbline.SLO) Windows {
	return Windows{End: origin, LastAt: origin.Add(-time.Minute), Series: 1, Last: Count{Bad: 1, Total: 1, Rows: 1}, Of: func(d time.Duration) Count {
		n := d.Hours() * perHour
		return Count{Bad: n * bad, Total: n, Rows: n}
	}}
}

func TestEvaluateCounts(t *testing.T) {
	slo := plumbline.SLO{Target: 0.999}
	pair := plumbline.WindowPair{Long: time.Hour, Short: 5 * time.Minute, Factor: 14.4, Noise: 1e-7, Evidence: []time.Duration{time.Hour, 6 * time.Hour}}
	empty := Windows{End: origin, Of: func(time.Duration) Count { return Count{} }}
	quiet := Windows{End: origin, LastAt: origin.Add(-20 * time.Minute), Last: Count{Bad: 2, Total: 2, Rows: 2}, Of: func(d time.Duration) Count {
		if d < time.Hour {
			return Count{}
		}
		return Count{Bad: 25, Total: 30, Rows: 30}
	}}
	silent := quiet
	silent.Of = func(d time.Duration) Count {
		if d < time.Hour {
			return Count{}
		}
		return Count{Bad: 2000, Total: 3000, Rows: 3000}
	}
	one := Windows{End: origin, LastAt: origin, Last: Count{Bad: 1, Total: 1, Rows: 1}, Of: func(time.Duration) Count { return Count{Bad: 1, Total: 10, Rows: 10} }}
	since := func(w Windows, counted time.Duration) Windows {
		w.From = origin.Add(-counted)
		return w
	}
	few := steady(10, 0.5, slo)
	for name, tt := range map[string]struct {
		w    Windows
		want string
	}{
		"the hour is counted, and burns":            {since(steady(3600, 0.15, slo), time.Hour), plumbline.VerdictBreach},
		"the hour is counted, and is well":          {since(steady(3600, 0.0005, slo), time.Hour), plumbline.VerdictOK},
		"most of the hour is counted, and burns":    {since(steady(3600, 0.15, slo), 59*time.Minute), plumbline.VerdictMissing},
		"most of the hour is counted, and is well":  {since(steady(3600, 0.0005, slo), 59*time.Minute), plumbline.VerdictMissing},
		"six hours are evidence":                    {few, plumbline.VerdictBreach},
		"they would be, were all of them counted":   {since(few, 2*time.Hour), plumbline.VerdictMissing},
		"they would not, for the burn is not there": {since(steady(10, 0, slo), 2*time.Hour), plumbline.VerdictOK},
		"nothing":       {empty, plumbline.VerdictMissing},
		"within target": {steady(3600, 0.0005, slo), plumbline.VerdictOK},
		"burning":       {steady(3600, 0.15, slo), plumbline.VerdictBreach},
		"one failure in ten is 100 times the burn": {one, plumbline.VerdictOK},
		"the short window is empty, as usual":      {quiet, plumbline.VerdictBreach},
		"the short window is empty, never else":    {silent, plumbline.VerdictMissing},
	} {
		if got := EvaluateCounts(tt.w, slo, pair); got.Verdict != tt.want {
			t.Errorf("%s: %+v, want %s", name, got, tt.want)
		}
	}
}

// A window is empty because other deploys serve if it is counted and they had events
// of late: those at its beginning may have been the last of all.
func TestElsewhere(t *testing.T) {
	slo := plumbline.SLO{Target: 0.999}
	pair := plumbline.WindowPair{Long: time.Hour, Short: 5 * time.Minute, Factor: 14.4}
	had := func(total float64, others, counted time.Duration) Windows {
		w := Windows{End: origin, LastAt: origin.Add(-20 * time.Minute), Last: Count{Bad: 1, Total: 1, Rows: 1}, From: origin.Add(-counted), Of: func(d time.Duration) Count {
			if d < time.Hour {
				return Count{}
			}
			return Count{Bad: total / 2, Total: total, Rows: total}
		}}
		if others >= 0 {
			w.OthersAt = origin.Add(-others)
		}
		w.StoredTo = func() time.Time { return origin }
		return w
	}
	stored := func(w Windows, to func() time.Time) Windows {
		w.StoredTo = to
		return w
	}
	const nobody = -1
	for name, tt := range map[string]struct {
		w    Windows
		want []time.Duration
	}{
		"another serves":                    {had(3000, time.Minute, time.Hour), []time.Duration{pair.Short}},
		"another served it all":             {had(0, time.Minute, time.Hour), []time.Duration{pair.Long, pair.Short}},
		"another served until lately":       {had(3000, 2*time.Minute, time.Hour), []time.Duration{pair.Short}},
		"nothing has come for four minutes": {had(3000, 4*time.Minute, time.Hour), nil},
		"nobody serves":                     {had(3000, nobody, time.Hour), nil},
		"not all is counted":                {had(3000, time.Minute, 4*time.Minute), nil},
		"it is usually empty":               {had(30, time.Minute, time.Hour), nil},
		"its events wait":                   {stored(had(3000, time.Minute, time.Hour), func() time.Time { return origin.Add(-4 * time.Minute) }), nil},
		"nobody knows whether they do":      {stored(had(3000, time.Minute, time.Hour), nil), nil},
	} {
		if got := EvaluateCounts(tt.w, slo, pair).Elsewhere; !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// Half the window says at half time what the whole one says only when it is full;
// for looking at both, either has half of what noise may cost. What twice the factor
// needs longer for is looked for there with a twentieth.
func TestEvidenceOfWhichWindow(t *testing.T) {
	slo := plumbline.SLO{Name: "s", Model: "m", Target: 0.99, Overdispersion: 1}
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 2, Noise: 1e-6,
		Evidence: []time.Duration{30 * time.Minute, time.Hour, 6 * time.Hour, 72 * time.Hour}}
	windows := func(perHour, before, early, late float64) Windows { // bad shares before the last hour, and in its halves
		return Windows{End: time.Unix(0, 0), Series: 1, Of: func(l time.Duration) Count {
			total := perHour * l.Hours()
			last := min(total, perHour/2)
			hour := min(total-last, perHour/2)
			return Count{Bad: math.Round(last*late + hour*early + (total-last-hour)*before), Total: total, Rows: total}
		}}
	}
	by := func(w Windows, l time.Duration) float64 {
		c := w.Of(l)
		return Noise(c.Bad, c.Total, 1-slo.Target, 1, l)
	}
	for _, tt := range []struct {
		name                         string
		perHour, before, early, late float64
		length                       time.Duration
		share                        float64
	}{
		{"a burst of half an hour", 10_000, 0.01, 0.01, 0.04, 30 * time.Minute, 1. / 2},
		{"an hour of it", 10_000, 0.01, 0.04, 0.04, time.Hour, 1. / 2},
		{"it is over", 10_000, 0.01, 0.04, 0.01, time.Hour, 1. / 2},
		{"a burst of half an hour among few", 300, 0.01, 0.01, 0.2, 30 * time.Minute, 0.95 / 2},
		{"sustained among few", 300, 0.04, 0.04, 0.04, 6 * time.Hour, 0.05},
		{"too little for an hour, and for what lasts", 2, 0.01, 0.5, 0.5, 6 * time.Hour, 0.95},
	} {
		w := windows(tt.perHour, tt.before, tt.early, tt.late)
		length, noise, thin := evidence(w, slo, pair)
		if want := by(w, tt.length) / tt.share; length != tt.length || math.Abs(noise-want) > 1e-12*want || thin {
			t.Errorf("%s: %s, %g, thin %t, want %s, %g", tt.name, length, noise, thin, tt.length, want)
		}
	}
	// Where the longer windows were not read, they are asked for.
	pair.Evidence = pair.Evidence[:3]
	if _, _, thin := evidence(windows(2, 0.01, 0.5, 0.5), slo, pair); !thin {
		t.Error("a sustained burn among few needs a longer window, and none is asked for")
	}
	if _, _, thin := evidence(windows(300, 0.01, 0.5, 0.5), slo, pair); thin {
		t.Error("a longer window is asked for without need")
	}
}
