package evalburn

import (
	"math"
	"testing"
	"time"
)

// TestShort is the short form of make eval-burn: no false page in some years over
// a tenth of the grid, and detection no later than printed.
func TestShort(t *testing.T) {
	falsePages, minutes := 0, 0
	for i, c := range Grid(true) {
		for _, shape := range Shapes() {
			const days = 2 * 24 * 60
			n, err := FalsePages(c, shape, days, uint64(i))
			if err != nil {
				t.Fatal(err)
			}
			falsePages, minutes = falsePages+n, minutes+days
		}
		found, err := Detections(c, 0, 1)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range found {
			// Burns of under four times the target take more than a hundred bad events
			// to tell from noise.
			if enough := 100.0; d.ExpectedBad >= enough && d.Pair.Factor >= 4 && (d.Never || d.Expected > d.Closed+time.Minute) {
				t.Errorf("%+v: %+v", c, d)
			}
		}
	}
	// A third of a year: at most a third of a page on average, so that more than
	// three come once in a thousand such tests.
	if falsePages > 3 {
		t.Errorf("%d false pages in %d minutes", falsePages, minutes)
	}
	// An outage is paged: what never pages has no false pages either.
	c := Cell{Target: 0.999, Period: 30 * 24 * time.Hour, PerHour: 36_000}
	found, err := Detections(c, 5, 1)
	if err != nil || len(found) != 2 || found[0].Median != 30*time.Minute && found[0].Median != 31*time.Minute {
		t.Errorf("%+v, %v", found, err)
	}
}

// TestOutageOfLittleTraffic: nine of ten fail at a request in two seconds; every
// target from 90 % on is paged within the hour.
func TestOutageOfLittleTraffic(t *testing.T) {
	for _, days := range []int{1, 7, 30, 90} {
		for _, target := range []float64{0.9, 0.92, 0.94, 0.95, 0.99, 0.999, 0.9999} {
			c := Cell{Target: target, Period: time.Duration(days) * 24 * time.Hour, PerHour: 1800}
			took, ok, err := PagedAfter(c, 0.9)
			if err != nil || !ok || took > time.Hour {
				t.Errorf("target %v over %d days: paged after %v, %v, %v", target, days, took, ok, err)
			}
		}
	}
}

// Of three events, half of the bursts at 0.5 have two bad ones or more, which the
// target of 0.9 has with 0.028; of an hour's worth of single events a year has 8766.
func TestNoRuleIsQuickerThanItsFalsePages(t *testing.T) {
	binomial := func(n, share, greater float64) float64 {
		return leastFalseAlarm(n, func(k float64) float64 { return binomialMass(n, k, share) }, func(k float64) float64 { return binomialMass(n, k, greater) })
	}
	if got := binomial(3, 0.1, 0.5); math.Abs(got-0.028) > 1e-12 {
		t.Errorf("of three events %v, want 0.028", got)
	}
	// Randomized: all four bad have 0.4096, and of the three bad ones with 0.4096
	// a share of (0.5 - 0.4096) / 0.4096.
	if got, want := binomial(4, 0.2, 0.8), 0.0016+(0.5-0.4096)/0.4096*0.0256; math.Abs(got-want) > 1e-12 {
		t.Errorf("of four events %v, want %v", got, want)
	}
	c := Cell{Target: 0.9, Period: 30 * 24 * time.Hour, PerHour: 3}
	d := Detection{Bad: 0.5, Closed: 59 * time.Minute}
	if got, want := FalsePagesFloor(c, d, 1), (Floor{Clumps: 0.028 * 8766}); math.Abs(got.Clumps-want.Clumps) > 1e-6 || got.Varying != 0 {
		t.Errorf("%v a year, want %v", got, want)
	}
	if got := FalsePagesFloor(c, d, 3); math.Abs(got.Clumps-0.1*8766) > 1e-6 || !got.Impossible() {
		t.Errorf("in clumps %v a year", got)
	}
}

// TestFloorOfAVaryingRate compares with scipy 1.17, with p = 1/3:
//
//	r0, r1 = n*(1-target)/2, n*bad/2; k = nbinom.ppf(.5, r1, p); f = (.5-nbinom.sf(k, r1, p))/nbinom.pmf(k, r1, p)
//	(nbinom.sf(k, r0, p) + f*nbinom.pmf(k, r0, p)) * 525960/31
func TestFloorOfAVaryingRate(t *testing.T) {
	const month = 30 * 24 * time.Hour
	for _, tt := range []struct {
		c    Cell
		bad  float64
		want float64
	}{
		{Cell{Target: 0.99, Period: month, PerHour: 100}, 0.288, 3.85031253},
		{Cell{Target: 0.999, Period: month, PerHour: 1800}, 0.0288, 0.0598726402},
		{Cell{Target: 0.95, Period: month, PerHour: 100}, 0.336, 32.7654327},
	} {
		got := FalsePagesFloor(tt.c, Detection{Bad: tt.bad, Closed: 30 * time.Minute}, 3)
		if math.Abs(got.Varying-tt.want) > 1e-6*tt.want {
			t.Errorf("%+v: %v a year, want %v", tt.c, got.Varying, tt.want)
		}
	}
}
