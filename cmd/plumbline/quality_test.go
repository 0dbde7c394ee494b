package main

import (
	"math"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Of a gap, ok is that there are events enough, which nobody may take for fair.
func TestGapsInWords(t *testing.T) {
	none := metric.Interval{Low: math.NaN(), High: math.NaN()}
	for want, v := range map[string]metric.Value{
		"differs":                      {Value: 0.053, Interval: metric.Interval{Low: 0.00447, High: 0.107}, State: metric.OK},
		"no difference shown":          {Value: 0.01, Interval: metric.Interval{Low: -0.02, High: 0.03}, State: metric.OK},
		"insufficient: too few events": {Value: 0.3, Interval: none, State: metric.Insufficient, Why: "too few events"},
		string(metric.Missing):         {Value: math.NaN(), Interval: none, State: metric.Missing},
	} {
		if got := inWords(v); got != want {
			t.Errorf("%+v is %q, want %q", v, got, want)
		}
	}
}
