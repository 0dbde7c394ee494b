package burn

import (
	"math"
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

// TestNoiseIsTheChanceOfAMinute compares with the sums themselves.
func TestNoiseIsTheChanceOfAMinute(t *testing.T) {
	const n, p, k = 347, 0.001, 6
	var tail, starts float64
	for x := k; x <= n; x++ {
		lg := func(v float64) float64 { l, _ := math.Lgamma(v + 1); return l }
		f := float64(x)
		mass := math.Exp(lg(n) - lg(f) - lg(n-f) + f*math.Log(p) + (n-f)*math.Log(1-p))
		tail, starts = tail+mass, starts+f*mass
	}
	want := min(tail, starts/60)
	if got := Noise(k, n, p, 1, time.Hour); math.Abs(got-want) > 1e-9*want {
		t.Errorf("got %g, want %g", got, want)
	}
	if worse := Noise(k, n, p, 3, time.Hour); !(worse > 100*want) {
		t.Errorf("overdispersion makes it %g, not much more than %g", worse, want)
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
	for name, tt := range map[string]struct {
		w    Windows
		want string
	}{
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

// Half the window says at half time what the whole one says only when it is full;
// for looking at both, either has half of what noise may cost.
func TestEvidenceOfHalfTheWindow(t *testing.T) {
	slo := plumbline.SLO{Name: "s", Model: "m", Target: 0.99, Overdispersion: 1}
	pair := plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 2, Noise: 1e-6,
		Evidence: []time.Duration{30 * time.Minute, time.Hour, 6 * time.Hour}}
	windows := func(perHour, early, late float64) Windows { // bad shares before and in the last half hour
		return Windows{End: time.Unix(0, 0), Series: 1, Of: func(l time.Duration) Count {
			total := perHour * l.Hours()
			last := min(total, perHour/2)
			return Count{Bad: math.Round(last*late + (total-last)*early), Total: total, Rows: total}
		}}
	}
	by := func(w Windows, l time.Duration) float64 {
		c := w.Of(l)
		return Noise(c.Bad, c.Total, 1-slo.Target, 1, l)
	}
	for _, tt := range []struct {
		name                 string
		perHour, early, late float64
		length               time.Duration
		looks                float64
	}{
		{"a burst of half an hour", 1000, 0.01, 0.04, 30 * time.Minute, 2},
		{"an hour of it", 1000, 0.04, 0.04, time.Hour, 2},
		{"it is over", 1000, 0.04, 0.01, time.Hour, 2},
		{"too little for an hour", 2, 0.5, 0.5, 6 * time.Hour, 1},
	} {
		w := windows(tt.perHour, tt.early, tt.late)
		length, noise, thin := evidence(w, slo, pair)
		if want := min(1, tt.looks*by(w, tt.length)); length != tt.length || noise != want || thin {
			t.Errorf("%s: %s, %g, thin %t, want %s, %g", tt.name, length, noise, thin, tt.length, want)
		}
	}
}
