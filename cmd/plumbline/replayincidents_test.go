package main

import (
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
)

func TestAlarmsOfOneThingAreOneIncident(t *testing.T) {
	fast := plumbline.WindowPair{Long: time.Hour, Short: 5 * time.Minute, Factor: 14.4, Severity: plumbline.SeverityPage}
	slow := plumbline.WindowPair{Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 6, Severity: plumbline.SeverityPage}
	ticket := plumbline.WindowPair{Long: 3 * 24 * time.Hour, Short: 6 * time.Hour, Factor: 1, Severity: plumbline.SeverityTicket}
	says := func(minute int, fires bool, p plumbline.WindowPair, slo plumbline.SLOName, deploy plumbline.DeployHash, clock string) alarm {
		at := time.Date(2026, 9, 1, 0, minute, 0, 0, time.UTC)
		return alarm{slo, burn.Replayed{At: at, Fires: fires, Pair: p, Severity: p.Severity, Deploy: deploy, Clock: clock}}
	}
	softened := says(5, true, fast, "a", "v1", "")
	softened.Severity = plumbline.SeverityTicket
	for name, tt := range map[string]struct {
		alarms           []alarm
		incidents, pages int
	}{
		"nothing": {},
		"pairs that overlap": {[]alarm{
			says(1, true, fast, "a", "v1", ""), says(2, true, slow, "a", "v1", ""), says(3, false, fast, "a", "v1", ""),
			says(4, true, fast, "a", "v1", ""), says(5, false, fast, "a", "v1", ""), says(6, false, slow, "a", "v1", ""),
		}, 1, 1},
		"one after another": {[]alarm{
			says(1, true, fast, "a", "v1", ""), says(2, false, fast, "a", "v1", ""), says(4, true, fast, "a", "v1", ""),
		}, 2, 2},
		"one pair takes over in the same minute": {[]alarm{
			says(1, true, fast, "a", "v1", ""), says(2, false, fast, "a", "v1", ""), says(2, true, slow, "a", "v1", ""),
		}, 1, 1},
		"a ticket that becomes a page": {[]alarm{says(1, true, ticket, "a", "v1", ""), says(2, true, fast, "a", "v1", "")}, 1, 1},
		"a ticket alone":               {[]alarm{says(1, true, ticket, "a", "v1", "")}, 1, 0},
		"a page that becomes a ticket while it holds": {[]alarm{
			says(1, true, fast, "a", "v1", ""), softened, says(6, false, fast, "a", "v1", ""), says(7, true, ticket, "a", "v1", ""),
		}, 2, 1},
		"clocks told one after the other": {[]alarm{
			says(3, true, fast, "a", "v1", plumbline.ClockMatured), says(9, false, fast, "a", "v1", plumbline.ClockMatured),
			says(1, true, fast, "a", "v1", plumbline.ClockNowcast), says(4, false, fast, "a", "v1", plumbline.ClockNowcast),
		}, 1, 1},
		"deploys and objectives": {[]alarm{
			says(1, true, fast, "a", "v1", ""), says(1, true, fast, "a", "v2", ""), says(1, true, ticket, "b", "v1", ""),
		}, 3, 2},
		"an end of what began before": {[]alarm{says(1, false, fast, "a", "v1", "")}, 0, 0},
	} {
		if incidents, pages := tally(tt.alarms); incidents != tt.incidents || pages != tt.pages {
			t.Errorf("%s: %d incidents, %d of them pages, want %d and %d", name, incidents, pages, tt.incidents, tt.pages)
		}
	}
}
