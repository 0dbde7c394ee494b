package quality

import (
	"math"
	"testing"
)

// The values are scipy's:
//
//	scipy.stats.binomtest(hits, n).proportion_ci(method='wilson')
func TestWilsonEqualsScipy(t *testing.T) {
	for _, test := range []struct {
		hits, n   int64
		low, high float64
	}{
		{0, 10, 0, 0.2775327998628893},
		{10, 10, 0.7224672001371109, 1},
		{766, 1065, 0.6915096735389953, 0.7454120009956587},
		{1, 20, 0.008881448800795402, 0.236131193446742},
		{37, 150, 0.1845816295528854, 0.3214032942602734},
		{500_000, 1_000_000, 0.4990200198900048, 0.5009799801099952},
	} {
		got := Wilson(test.hits, test.n)
		if math.Abs(got.Low-test.low) > 1e-12 || math.Abs(got.High-test.high) > 1e-12 {
			t.Errorf("Wilson(%d, %d) is %+v, scipy says [%v, %v]", test.hits, test.n, got, test.low, test.high)
		}
	}
}

func TestNoEventsHaveNoInterval(t *testing.T) {
	if i := Wilson(0, 0); !math.IsNaN(i.Low) || !math.IsNaN(i.High) {
		t.Errorf("no events have the interval %+v", i)
	}
}

func TestSampledRowsHaveTheIntervalOfTheRows(t *testing.T) {
	if got, want := WilsonSampled(370, 1500, 150), Wilson(37, 150); got != want {
		t.Errorf("150 rows of weight 10: %+v, want %+v", got, want)
	}
}

// What labels that are withdrawn leave for a moment is no share.
func TestCoverageIsAShare(t *testing.T) {
	for _, c := range []struct {
		labelled, requests int64
		want               float64
	}{{-3, 10, 0}, {5, 10, 0.5}, {12, 10, 1}} {
		if got := Coverage(c.labelled, c.requests); got != c.want {
			t.Errorf("%d of %d: %v, want %v", c.labelled, c.requests, got, c.want)
		}
	}
}
