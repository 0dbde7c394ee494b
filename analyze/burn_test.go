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
