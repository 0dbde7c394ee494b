package main

import (
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// A target that one bad event spends is said to be one; five nines are not.
func TestStrictTargetsAreSaid(t *testing.T) {
	for target, want := range map[float64]string{0.99: "", 0.99999: "", 0.9999999: "one bad event in 10000000: where fewer come in within 28d"} {
		got := strictTarget(plumbline.SLO{Target: target, Period: 28 * 24 * time.Hour})
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%v: %q, want %q", target, got, want)
		}
	}
	slices := plumbline.SLO{Target: 0.9999999, SliceWindow: time.Minute, Period: 730 * time.Hour, Calendar: &plumbline.Calendar{Months: 1}}
	if got, want := strictTarget(slices), "one bad slice in 10000000: where fewer come in within a calendar month"; !strings.Contains(got, want) {
		t.Errorf("of slices in a month: %q, want %q", got, want)
	}
}
