package app

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/alerting"
)

func TestAPageDoesNotShowTheAddressThatWasSlow(t *testing.T) {
	slow := fmt.Errorf("read pieces: sendQuery: %w", &url.Error{Op: "Post", URL: "http://plumbline:secret@127.0.0.1:1", Err: context.DeadlineExceeded})
	if got := reasonOf(slow); strings.Contains(got, "127.0.0.1") || !strings.Contains(got, "longer than a page may wait") {
		t.Errorf("the page says %q", got)
	}
	if got := reasonOf(errors.New("no deploy before")); got != "no deploy before" {
		t.Errorf("the page says %q", got)
	}
}

// What an SLO lost comes before what drifted, and of one that counts no labels those
// have no part.
func TestWhatAnSLOLostComesFirst(t *testing.T) {
	ofLabels, lost := &alerting.QualityChange{Measure: "labels"}, alerting.Explanation{
		Windows: []alerting.WindowShare{{Window: "1h"}}, Carriers: []string{"drop"}, Quality: &alerting.QualityChange{Measure: "lost"},
	}
	counts := map[plumbline.SLOName]plumbline.SLO{"fast": {SLI: plumbline.SLI{Kind: plumbline.SLILatency}}}
	for _, tt := range []struct {
		slo     plumbline.SLOName
		known   *alerting.QualityChange
		quality string
		covers  bool
	}{{"fast", ofLabels, "lost", false}, {"accurate", ofLabels, "labels", true}, {"accurate", nil, "lost", true}} {
		coverage := 0.5
		out := alerting.Explanation{Carriers: []string{"drift"}, Coverage: &coverage, Quality: tt.known}
		explainer{slos: counts}.add(tt.slo, lost, &out)
		if !slices.Equal(out.Carriers, []string{"drop", "drift"}) || len(out.Windows) != 1 || out.Quality.Measure != tt.quality || (out.Coverage != nil) != tt.covers {
			t.Errorf("%s: %+v, want quality by %s", tt.slo, out, tt.quality)
		}
	}
}
