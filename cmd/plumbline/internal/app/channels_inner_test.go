package app

import (
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality"
)

// The intervals are Wilson's: of 850 of 1,000 it is 82.7 to 87.1 %, of 830 80.5
// to 85.2 %, of 700 67.1 to 72.8 %: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).
func TestTheGatesVerdict(t *testing.T) {
	counts := func(correct, labelled int64) *quality.Counts {
		return &quality.Counts{Requests: 2 * labelled, Labelled: labelled, Correct: correct, Rows: labelled}
	}
	for name, c := range map[string]struct {
		before, after *quality.Counts
		want          string
	}{
		"worse":               {counts(850, 1000), counts(700, 1000), "fail: accuracy 70.0 % (67.1 to 72.8 %), 85.0 % (82.7 to 87.1 %) of the deploy before, 50 % of its labels are in"},
		"not beyond chance":   {counts(850, 1000), counts(830, 1000), "pass: accuracy 83.0 %"},
		"better":              {counts(700, 1000), counts(850, 1000), "pass: "},
		"no labels":           {counts(850, 1000), nil, "insufficient: the deploy has fewer than 20 labelled predictions"},
		"few labels":          {counts(850, 1000), counts(2, 19), "insufficient: the deploy has fewer than 20 labelled predictions"},
		"nothing before":      {nil, counts(85, 100), "insufficient: nothing to compare with; accuracy is 85.0 %"},
		"hardly known before": {counts(10, 10), counts(85, 100), "insufficient: nothing to compare with"},
	} {
		if got := judgeDeploy(c.before, c.after); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
