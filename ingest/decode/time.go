package decode

import (
	"math"
	"time"
	"unsafe"
)

const timeHint = "send RFC 3339 such as 2026-01-31T08:30:00.000Z, or Unix milliseconds"

// instant reads a point in time as Unix milliseconds: an RFC 3339 string, cut
// to the millisecond, or an integer number.
func (s *scanner) instant() (int64, *Error) {
	switch c := s.space(); {
	case c == '"':
		text, err := s.text()
		if err != nil {
			return 0, err
		}
		return parseTime(text)
	case c == '-' || (c >= '0' && c <= '9'):
		v, err := s.number()
		if err != nil {
			return 0, err
		}
		if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
			return 0, bad(BadValue, timeHint)
		}
		return int64(v), nil
	case c == 'n':
		return 0, bad(MissingField, timeHint)
	}
	return 0, bad(WrongType, timeHint)
}

// parseTime reads the usual shape, 2026-01-31T08:30:00[.fff]Z, by hand and
// leaves every other one to the standard library.
func parseTime(b []byte) (int64, *Error) {
	if ms, ok := parseUTC(b); ok {
		return ms, nil
	}
	t, err := time.Parse(time.RFC3339Nano, unsafe.String(unsafe.SliceData(b), len(b)))
	if err != nil {
		return 0, bad(BadValue, timeHint)
	}
	return t.UnixMilli(), nil
}

func parseUTC(b []byte) (int64, bool) {
	if len(b) < 20 || len(b) > 30 || b[len(b)-1] != 'Z' || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return 0, false
	}
	century, ok1 := two(b, 0)
	year, ok2 := two(b, 2)
	month, ok3 := two(b, 5)
	day, ok4 := two(b, 8)
	hour, ok5 := two(b, 11)
	minute, ok6 := two(b, 14)
	second, ok7 := two(b, 17)
	if !(ok1 && ok2 && ok3 && ok4 && ok5 && ok6 && ok7) {
		return 0, false
	}
	year += century * 100
	if month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	ms, ok := milliseconds(b[19 : len(b)-1])
	if !ok {
		return 0, false
	}
	return ((daysSinceEpoch(year, month, day)*24+hour)*60+minute)*60_000 + second*1000 + ms, true
}

func two(b []byte, i int) (int64, bool) {
	high, low := b[i]-'0', b[i+1]-'0'
	return int64(high)*10 + int64(low), high <= 9 && low <= 9
}

// milliseconds reads ".fff..." and cuts what is finer; empty is 0.
func milliseconds(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	if len(b) == 1 || b[0] != '.' {
		return 0, false
	}
	ms, scale := int64(0), int64(100)
	for _, c := range b[1:] {
		if c-'0' > 9 {
			return 0, false
		}
		ms += int64(c-'0') * scale
		scale /= 10
	}
	return ms, true
}

func leap(year int64) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int64) int64 {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysSinceEpoch counts days of the proleptic Gregorian calendar from
// 1970-01-01 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
// days_from_civil).
func daysSinceEpoch(year, month, day int64) int64 {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	if year < 0 {
		era = -1 // January of the year 0; division truncates
	}
	yearOfEra := year - era*400
	dayOfYear := (153*(month-3)+2)/5 + day - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146097 + dayOfEra - 719468
}
