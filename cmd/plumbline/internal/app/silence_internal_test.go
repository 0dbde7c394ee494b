package app

import (
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/testenv"
)

// An SLO that fell silent is so until it speaks again, however long that takes, and
// after a restart in the meantime.
func TestSilenceDoesNotEndByItself(t *testing.T) {
	env, stored := testenv.Start(t, testenv.Setup{}), make(chan struct{})
	close(stored)
	computed := func(slo string, at time.Time) {
		t.Helper()
		err := env.DB.Conn().Exec(t.Context(), `INSERT INTO findings (at, signal, model, deploy_hash, stage, slo, window, window_end, measure, value)
			SELECT fromUnixTimestamp64Milli(?), 'burn', 'm', 'd', 'production', ?, '1h', fromUnixTimestamp64Milli(?), 'bad_share', 0`, at.UnixMilli(), slo, at.UnixMilli())
		if err != nil {
			t.Fatal(err)
		}
	}
	start := func() *silenceProbe {
		return &silenceProbe{conn: env.DB.Conn(), stored: stored, slos: map[string]bool{"hangs": true, "speaks": true}}
	}
	probe := start()
	look := func(when string, now time.Time, want time.Duration) {
		t.Helper()
		lag, what, err := probe.lag(t.Context(), now)
		if err != nil || lag != want || (want > 0) != strings.Contains(what, "hangs") || strings.Contains(what, "gone") {
			t.Errorf("%s: %s, %q, %v; want %s", when, lag, what, err, want)
		}
	}
	friday := time.Now().Add(-4 * 24 * time.Hour).Truncate(time.Millisecond)
	computed("gone", friday.Add(-time.Hour)) // nobody declares it any more
	for _, slo := range []string{"hangs", "speaks"} {
		computed(slo, friday)
	}
	look("at first", friday, 0)
	saturday := friday.Add(30 * time.Hour)
	computed("speaks", saturday)
	look("the day after", saturday, 30*time.Hour)
	probe = start()
	sunday := friday.Add(50 * time.Hour)
	computed("speaks", sunday)
	look("after a restart", sunday, 0)
	computed("speaks", sunday.Add(time.Hour))
	look("an hour later", sunday.Add(time.Hour), time.Hour)
	computed("hangs", sunday.Add(2*time.Hour))
	computed("speaks", sunday.Add(2*time.Hour))
	look("it speaks again", sunday.Add(2*time.Hour), 0)
}
