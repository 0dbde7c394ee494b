package serve

import (
	"fmt"
	"time"
)

// ParseTime reads a time as every flag and parameter takes it: RFC 3339, with or without
// seconds, or a day, which begins at midnight UTC.
func ParseTime(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00", time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1970 && t.Year() < 2100 {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time: write 2026-10-01T00:00Z, or 2026-10-01 for that day's midnight UTC", text)
}
