package analyze_test

import (
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze"
)

// That nothing drifted is said only where it was measured.
func TestWhyNothingIsKnownOfDrift(t *testing.T) {
	for want, verdicts := range map[string][]string{
		"nothing was seen of it yet": nil,
		"no reference":               {plumbline.VerdictMissing, plumbline.VerdictMissing},
		"too few events":             {plumbline.VerdictInsufficient, plumbline.VerdictMissing},
		"":                           {plumbline.VerdictMissing, plumbline.VerdictOK},
	} {
		var e analyze.Explanation
		for _, verdict := range verdicts {
			e.Features = append(e.Features, analyze.Shift{Verdict: verdict})
		}
		if got := e.NoDrift(); got != want {
			t.Errorf("%v: %q, want %q", verdicts, got, want)
		}
	}
}
