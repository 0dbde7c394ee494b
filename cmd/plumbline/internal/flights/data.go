package flights

import (
	"fmt"
	"sort"
	"time"
)

// minute is a whole minute of the flights' own clock, counted from the Unix
// epoch as if local times were UTC.
type minute int32

func minuteOf(t time.Time) minute { return minute(t.Unix() / 60) }

func (m minute) time() time.Time { return time.Unix(int64(m)*60, 0).UTC() }

func (m minute) hour() int { return int(m/60) % 24 }

// weekday counts from Monday = 0; the first of January 1970 was a Thursday.
func (m minute) weekday() int { return int(m/(24*60)+3) % 7 }

func minutesOf(d time.Duration) minute { return minute(d / time.Minute) }

// Span is the half-open interval of original time [From, To).
type Span struct{ From, To time.Time }

func (s Span) contains(m minute) bool { return m >= minuteOf(s.From) && m < minuteOf(s.To) }

// airport is an index into Data.airports.
type airport uint16

// Data holds flights as columns, in the order of departure. The source gives
// the actual local departure, the delay on arrival and the distance.
type Data struct {
	row         []int32 // row number in the file
	departure   []minute
	delay       []int16 // minutes late on arrival, negative if early
	distance    []uint16
	origin      []airport
	destination []airport
	airports    []string // sorted by first appearance

	// Dropped counts rows left out as recording errors: a delay below
	// MinDelay or a distance of no use.
	Dropped int
}

// MinDelay is the least plausible delay on arrival in minutes. The data holds
// three rows below it (-1116, -953 and -212): an aircraft cannot land before it
// took off.
const MinDelay = -120

// maxDistance in miles and maxDelay in minutes bound what the columns hold.
const (
	maxDistance = 1<<16 - 1
	maxDelay    = 1<<15 - 1
)

// Len returns the number of flights held.
func (d *Data) Len() int { return len(d.departure) }

// Airports returns the number of distinct airports.
func (d *Data) Airports() int { return len(d.airports) }

// between returns the range of flights that depart in [from, to).
func (d *Data) between(from, to minute) (lo, hi int) {
	lo = sort.Search(d.Len(), func(i int) bool { return d.departure[i] >= from })
	hi = sort.Search(d.Len(), func(i int) bool { return d.departure[i] >= to })
	return lo, max(lo, hi)
}

// LateAfter is the delay in minutes beyond which a flight is late, the
// definition of the US Bureau of Transportation Statistics.
const LateAfter = 15

func (d *Data) late(i int) bool { return d.delay[i] > LateAfter }

// The time from gate to gate in minutes is about
// taxiMinutes + airMinutes + minutesPerMile x distance: a regression of air
// time on distance over 270,000 flights of the same source gives
// 17.1 + 0.117 x miles (R^2 = 0.97,
// rstudio-pubs-static.s3.amazonaws.com/469501_5913b5bc8b5e4938ae309d42f6038cef.html),
// and taxiing out and in takes some 23 minutes.
const (
	taxiMinutes    = 23
	airMinutes     = 17
	minutesPerMile = 0.117
)

// landing is when the label of flight i becomes known: departure + delay +
// flight time, but never less than half the flight time after departure.
func (d *Data) landing(i int) minute {
	flight := taxiMinutes + airMinutes + minutesPerMile*float64(d.distance[i])
	return d.departure[i] + minute(max(flight/2, flight+float64(d.delay[i]))+0.5)
}

// append adds one flight read from row of the file.
func (d *Data) append(row int32, departure minute, delay, distance int64, origin, destination airport) error {
	if n := len(d.departure); n > 0 && departure < d.departure[n-1] {
		return fmt.Errorf("row %d departs at %s, before the row above it", row, departure.time().Format(time.DateTime))
	}
	if delay < MinDelay || delay > maxDelay || distance <= 0 || distance > maxDistance {
		d.Dropped++
		return nil
	}
	d.row = append(d.row, row)
	d.departure = append(d.departure, departure)
	d.delay = append(d.delay, int16(delay))
	d.distance = append(d.distance, uint16(distance))
	d.origin = append(d.origin, origin)
	d.destination = append(d.destination, destination)
	return nil
}
