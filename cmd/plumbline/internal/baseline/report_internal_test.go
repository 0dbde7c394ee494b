package baseline

import (
	"strings"
	"testing"
)

// A column of times has as many values as one of identifiers, and another flag.
func TestTimesAmongIdentifiers(t *testing.T) {
	for name, want := range map[string]bool{"timestamp": true, "arrival_date": true, "event_ts": true, "ts": true, "booking_id": false, "rights": false} {
		p := &profile{name: name}
		if got := strings.Contains(p.orTime(), "--time-column"); got != want {
			t.Errorf("%s: --time-column is proposed: %t", name, got)
		}
	}
}
