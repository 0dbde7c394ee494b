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
