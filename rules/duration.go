package rules

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// ParseDuration reads OpenSLO's duration shorthand: a positive whole number and
// one of m, h, d, w. Months, quarters and years (M, Q, Y) have no fixed length
// and are refused with the reason.
func ParseDuration(s string) (time.Duration, error) {
	if len(s) < 2 {
		return 0, fmt.Errorf("%q is no duration; write a number and m, h, d or w, such as 7d", s)
	}
	var unit time.Duration
	switch s[len(s)-1] {
	case 'm':
		unit = time.Minute
	case 'h':
		unit = time.Hour
	case 'd':
		unit = 24 * time.Hour
	case 'w':
		unit = 7 * 24 * time.Hour
	case 'M', 'Q', 'Y':
		return 0, fmt.Errorf("%q has no fixed length; write days or weeks, such as 30d", s)
	default:
		return 0, fmt.Errorf("%q ends in no unit; write a number and m, h, d or w, such as 7d", s)
	}
	n, err := strconv.ParseUint(s[:len(s)-1], 10, 32)
	if err != nil || n == 0 || n > uint64(math.MaxInt64/int64(unit)) {
		return 0, fmt.Errorf("%q has no usable number; write a positive whole number and m, h, d or w, such as 7d", s)
	}
	return time.Duration(n) * unit, nil
}
