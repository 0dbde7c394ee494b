package plumbline_test

import (
	"math"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
)

func TestThreeDigits(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 5000: "5000", 4999.6: "5000", 1234567: "1230000", -0.98765: "-0.988", 1.2345e-5: "0.0000123", 1e-7: "0.0000001",
		99.96: "100", math.Inf(1): "+Inf", math.Inf(-1): "-Inf",
	} {
		if got := plumbline.ThreeDigits(v); got != want {
			t.Errorf("%v is spelt %q, want %q", v, got, want)
		}
	}
	if got := plumbline.RoundThree(math.MaxFloat64); got != math.MaxFloat64 {
		t.Errorf("the greatest number becomes %v; rounded up it is none", got)
	}
}
