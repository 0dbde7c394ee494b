package alerting

import (
	"math"
	"strings"
	"testing"
)

func TestPercent(t *testing.T) {
	for share, want := range map[float64]string{
		0: "0 %", 1: "100 %", 0.5: "50 %", 0.4123: "41.2 %", 0.0144: "1.44 %", 0.000521: "0.052 %", 0.99948: "99.948 %", 0.999: "99.9 %",
		0.9: "90 %", 0.095: "9.5 %", -0.12: "-12 %", -0.0049: "-0.49 %", 1.07: "107 %", 0.3: "30 %", 1e-12: "0 %", 0.28: "28 %", 0.1: "10 %",
	} {
		if got := percent(share); got != want {
			t.Errorf("%v: %s, want %s", share, got, want)
		}
	}
	for _, share := range []float64{math.Nextafter(0, 1), math.Nextafter(1, 0), 1e300, -1e300} {
		if got := percent(share); !strings.HasSuffix(got, " %") || strings.Contains(got, "NaN") || strings.Contains(got, "Inf") {
			t.Errorf("%v: %s", share, got)
		}
	}
}
