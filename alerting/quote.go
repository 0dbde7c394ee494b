package alerting

import (
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/prometheus/common/model"

	plumbline "github.com/plumbline-slo/plumbline"
)

// maxName bounds a name or sentence that someone else wrote, in runes.
const maxName = 200

// Clean makes one line of a text that someone else wrote: control characters,
// line breaks, invisible and direction-changing characters become spaces or go,
// and what is longer than 200 runes is cut. Channels quote on top of it.
func Clean(s string) string {
	return truncate(strings.Join(strings.Fields(strings.Map(visible, strings.ToValidUTF8(s, "�"))), " "), maxName)
}

// CleanLines is Clean for a text whose line breaks matter, such as SQL. It cuts
// nothing.
func CleanLines(s string) string {
	lines := strings.Split(strings.ReplaceAll(strings.ToValidUTF8(s, "�"), "\r\n", "\n"), "\n")
	for i, line := range lines {
		lines[i] = strings.TrimRight(strings.Map(visible, line), " ")
	}
	return strings.Trim(strings.Join(lines, "\n"), "\n")
}

// visible maps line breaks and other control characters to a space, and drops
// format characters (Unicode Cf: zero width, bidirectional overrides).
func visible(r rune) rune {
	switch {
	case unicode.Is(unicode.Cf, r):
		return -1
	case unicode.IsControl(r), r == '\u2028', r == '\u2029':
		return ' '
	}
	return r
}

// truncate cuts s to n runes, the last of them an ellipsis.
func truncate(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

// parseNumber reads a number as rule templates write it: 0.42, 6.3x, 41.2 %.
// Only finite numbers are numbers; a per cent sign divides by 100.
func parseNumber(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	scale := 1.0
	switch {
	case strings.HasSuffix(s, "%"):
		s, scale = strings.TrimSuffix(s, "%"), 100
	case strings.HasSuffix(s, "x"):
		s = strings.TrimSuffix(s, "x")
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, false
	}
	return v / scale, true
}

// parseDuration reads a duration as Prometheus (30d) or Go (720h0m0s) writes it.
func parseDuration(s string) (time.Duration, bool) {
	if d, err := model.ParseDuration(s); err == nil {
		return time.Duration(d), d > 0
	}
	d, err := time.ParseDuration(s)
	return d, err == nil && d > 0
}

// parsePeriod reads the length of a budget's period, of months those that begin
// with the one at a time.
func parsePeriod(s string, at time.Time) (time.Duration, bool) {
	months, ok := plumbline.PeriodMonths(s)
	if !ok {
		return parseDuration(s)
	}
	at = at.UTC()
	first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, months, 0).Sub(first), true
}

// grouped writes a count with its thousands apart: 1,000.
func grouped(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// percent writes a share with one decimal place, 41.2 %, and more where it is
// nearer than 10 % to none or all, so that two digits tell how far: 1.44 %,
// 99.948 %.
func percent(share float64) string {
	v := share * 100
	places := 1
	if away := min(math.Abs(v), math.Abs(100-v)); away > 0 && away < 10 {
		places = min(max(1-int(math.Floor(math.Log10(away))), 2), 6)
	}
	scale := math.Pow(10, float64(places))
	return strconv.FormatFloat(math.Round(v*scale)/scale, 'f', -1, 64) + " %"
}

// number writes a number with three significant digits, or all of its whole part,
// and no exponent.
func number(v float64) string {
	if math.Abs(v) >= 100 {
		return strconv.FormatFloat(math.Round(v), 'f', 0, 64)
	}
	return plumbline.ThreeDigits(v)
}

// span writes a duration in its two greatest units: 2d 4h, 42m, 30s.
func span(d time.Duration) string {
	if d < time.Minute {
		return strconv.Itoa(int(d.Round(time.Second)/time.Second)) + "s"
	}
	d = d.Round(time.Minute)
	var parts []string
	for _, u := range []struct {
		size time.Duration
		name string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "m"}} {
		if n := d / u.size; n > 0 {
			parts = append(parts, strconv.Itoa(int(n))+u.name)
			d -= n * u.size
		} else if len(parts) > 0 {
			break // 1d 0h 5m is read as 1d
		}
	}
	return strings.Join(parts[:min(2, len(parts))], " ")
}

// clock writes a time for a person.
func clock(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
