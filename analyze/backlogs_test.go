package analyze

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// That windows are missing since not all is counted is logged once, and when it is over.
func TestBacklogsAreLogged(t *testing.T) {
	o := objective("m")
	o.SLO.SLI = plumbline.SLI{Kind: plumbline.SLIFreshness, Within: 5 * time.Minute}
	r := newRunner(t, startDB(t), o)
	var log strings.Builder
	r.log = slog.New(slog.NewTextHandler(&log, nil))
	if err := r.counted.counter.Step(t.Context(), r.objectives, now); err != nil {
		t.Fatal(err)
	}
	r.sayBacklogs(now)
	r.sayBacklogs(now)
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "uncounted=144h0m0s") {
		t.Errorf("it is logged:\n%s", got)
	}
	for r.counted.counter.Left(now) > 0 {
		if err := r.counted.counter.CatchUp(t.Context(), r.objectives, now, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	r.sayBacklogs(now)
	r.sayBacklogs(now)
	if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "all of an SLO is counted") {
		t.Errorf("it is logged:\n%s", got)
	}
}
