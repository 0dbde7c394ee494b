package ask

import (
	"strings"
	"testing"
	"time"
)

func TestParseReference(t *testing.T) {
	for text, want := range map[string]Reference{
		"training":        {Kind: Training},
		"previous-deploy": {Kind: PreviousDeploy},
		"auto":            {Kind: Auto},
		"sliding":         {Kind: Sliding, Length: week},
		"sliding:36h":     {Kind: Sliding, Length: 36 * time.Hour},
		"sliding:7d":      {Kind: Sliding, Length: week},
		"same-hours":      {Kind: SameHours, Length: 4 * week},
		"same-hours:14d":  {Kind: SameHours, Length: 2 * week},
		"2026-10-01T00:00Z..2026-10-08T00:00Z": {Kind: Range, From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC),
			To: time.Date(2026, 10, 8, 0, 0, 0, 0, time.UTC)},
		"2026-10-01..2026-10-01T02:00:00+01:00": {Kind: Range, From: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC),
			To: time.Date(2026, 10, 1, 1, 0, 0, 0, time.UTC)},
	} {
		if got, err := ParseReference(text); err != nil || got != want {
			t.Errorf("%s: %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestReferencesThatCannotBeSayHowToWriteThem(t *testing.T) {
	for text, want := range map[string]string{
		"":                        "write training",
		"yesterday":               "sliding[:7d]",
		"training:7d":             "has no length",
		"sliding:":                "24h, 7d or 4w",
		"sliding:7":               "24h, 7d or 4w",
		"sliding:0h":              "24h, 7d or 4w",
		"sliding:401d":            "at most 400d",
		"sliding:-1d":             "24h, 7d or 4w",
		"same-hours:5d":           "whole weeks",
		"2026-10-08..2026-10-01":  "begin before it ends",
		"2026-10-08..":            "2026-10-01T00:00Z",
		"..":                      "2026-10-01T00:00Z",
		"2020-01-01..2026-10-01":  "at most 400d",
		"2026-13-01..2026-13-02":  "is not a time",
		"auto:sliding":            "has no length",
		"sliding:99999999999999d": "at most 400d",
	} {
		if _, err := ParseReference(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want an error with %q", text, err, want)
		}
	}
}

// Whatever is accepted is spelled so that it reads as the same, and is valid.
func FuzzParseReference(f *testing.F) {
	for _, text := range []string{"training", "sliding:7d", "same-hours:4w", "auto", "2026-10-01T00:00Z..2026-10-08T00:00Z", "2026-10-01..2026-10-01T00:00:01Z", "x", "sliding:400d"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseReference(text)
		if err != nil {
			return
		}
		if err := r.Validate(); err != nil {
			t.Fatalf("%q is accepted: %v", text, err)
		}
		again, err := ParseReference(r.String())
		if err != nil || again != r {
			t.Fatalf("%q is %+v, spelled %q, which reads as %+v, %v", text, r, r, again, err)
		}
	})
}
