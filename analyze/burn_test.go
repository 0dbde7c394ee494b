package analyze

import (
	"math"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

// Of a window that several pairs share the noise is that of a pair that asks for it: a
// ticket's is not shared out among windows.
func TestTheNoiseOfASharedWindow(t *testing.T) {
	of := func(long time.Duration, asked, noise float64) burn.Evaluation {
		return burn.Evaluation{Pair: plumbline.WindowPair{Long: long, Short: 5 * time.Minute, Noise: asked}, Noise: noise}
	}
	for name, tt := range map[string]struct {
		all  []burn.Evaluation
		want float64
	}{
		"a page":                   {[]burn.Evaluation{of(time.Hour, 1e-6, 1e-4)}, 1e-4},
		"a ticket":                 {[]burn.Evaluation{of(time.Hour, 0, 1e-4)}, 1e-4},
		"a page before a ticket":   {[]burn.Evaluation{of(time.Hour, 1e-6, 1e-4), of(time.Hour, 0, 1e-9)}, 1e-4},
		"a ticket before a page":   {[]burn.Evaluation{of(time.Hour, 0, 1e-9), of(time.Hour, 1e-6, 1e-4)}, 1e-4},
		"two pages, one in breach": {[]burn.Evaluation{of(time.Hour, 1e-6, 1), of(time.Hour, 1e-6, 1e-8)}, 1e-8},
		"another window":           {[]burn.Evaluation{of(6*time.Hour, 1e-6, 1e-8)}, math.NaN()},
	} {
		if got := noiseOf(tt.all, time.Hour); got != tt.want && !(math.IsNaN(got) && math.IsNaN(tt.want)) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

// The share of a window is one of the labelled requests, however many deliveries they
// were counted from.
func TestBurnFindingsSayOfHowMany(t *testing.T) {
	pair := plumbline.WindowPair{Long: time.Hour, Short: 5 * time.Minute}
	window := func(length time.Duration, labelled, bad, rows int64) burn.Window {
		return burn.Window{Length: length, Requests: labelled, Labelled: labelled, Bad: bad, Rows: rows}
	}
	found := burnFindings(plumbline.Objective{}, "d", []burn.Evaluation{{Pair: pair, Long: window(pair.Long, 1000, 159, 100), Short: window(pair.Short, 80, 16, 8), Verdict: plumbline.VerdictBreach}})
	if len(found) != 2 || found[0].Total != 1000 || found[0].Count != 100 || found[0].Value != 0.159 || found[1].Total != 80 {
		t.Errorf("%+v", found)
	}
}
