package plumbline_test

import (
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// A month has no length of time: its name says what it is.
func TestThePeriodOfAnSLO(t *testing.T) {
	for _, c := range []struct {
		slo         plumbline.SLO
		name, words string
		months      int
	}{
		{plumbline.SLO{Period: 7 * 24 * time.Hour}, "7d", "7d", 0},
		{plumbline.SLO{Period: 7 * 24 * time.Hour, Calendar: &plumbline.Calendar{}}, "7d", "7d", 0},
		{plumbline.SLO{Period: 730 * time.Hour, Calendar: &plumbline.Calendar{Months: 1}}, "1M", "a calendar month", 1},
		{plumbline.SLO{Period: 2190 * time.Hour, Calendar: &plumbline.Calendar{Months: 3}}, "3M", "3 calendar months", 3},
		{plumbline.SLO{Period: 30 * time.Minute}, "30m", "30m", 0},
	} {
		name := c.slo.PeriodName()
		months, ok := plumbline.PeriodMonths(name)
		if words := plumbline.PeriodWords(name); name != c.name || words != c.words || ok && months != c.months || ok != (c.months > 0) {
			t.Errorf("%s, %q, %d %t; want %s, %q, %d", name, words, months, ok, c.name, c.words, c.months)
		}
	}
}

// Periods that begin on a day which not all months have begin on the last day of those.
func TestPeriodsFromTheEndOfAMonth(t *testing.T) {
	at := func(month time.Month, day, hour int) time.Time {
		return time.Date(2024, month, day, hour, 0, 0, 0, time.UTC)
	}
	months := plumbline.Calendar{Start: time.Date(2026, 1, 31, 6, 0, 0, 0, time.UTC), Months: 1}
	years := plumbline.Calendar{Start: at(2, 29, 0), Months: 12}
	for _, c := range []struct {
		calendar  plumbline.Calendar
		now, want time.Time
	}{
		{months, at(2, 29, 5), at(1, 31, 6)},
		{months, at(2, 29, 6), at(2, 29, 6)},
		{months, at(3, 3, 0), at(2, 29, 6)},
		{months, at(3, 31, 5), at(2, 29, 6)},
		{months, at(5, 1, 0), at(4, 30, 6)},
		{years, time.Date(2025, 2, 28, 0, 0, 0, 0, time.UTC), time.Date(2025, 2, 28, 0, 0, 0, 0, time.UTC)},
		{years, time.Date(2028, 2, 28, 23, 0, 0, 0, time.UTC), time.Date(2027, 2, 28, 0, 0, 0, 0, time.UTC)},
	} {
		if got := c.calendar.Since(c.now, 0); !got.Equal(c.want) {
			t.Errorf("of %s from %s on: %s, want %s", c.now, c.calendar.Start, got, c.want)
		}
	}
}
