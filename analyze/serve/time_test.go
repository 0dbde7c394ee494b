package serve

import (
	"strings"
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	day := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"2026-10-01": day, "2026-10-01T00:00Z": day, "2026-10-01T02:00+02:00": day, "2026-10-01T00:00:01Z": day.Add(time.Second),
		"2026-10-01T00:00:00.25Z": day.Add(250 * time.Millisecond),
	} {
		if got, err := ParseTime(text); err != nil || !got.Equal(want) || got.Location() != time.UTC {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "noon", "1.10.2026", "2026-10-01T00:00", "2026-13-01", "0001-01-01"} {
		if got, err := ParseTime(text); err == nil || !strings.Contains(err.Error(), "write 2026-10-01T00:00Z") {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}
