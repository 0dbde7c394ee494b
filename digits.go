package plumbline

import "strconv"

// ThreeDigits spells a number for people with three significant digits and without
// an exponent: 0.0000123, 5000. Integers beyond three digits are rounded, too.
func ThreeDigits(v float64) string { return strconv.FormatFloat(RoundThree(v), 'f', -1, 64) }

// RoundThree is the nearest number with three significant digits; what has none,
// as infinity, stays what it is.
func RoundThree(v float64) float64 {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 3, 64), 64)
	if err != nil {
		return v
	}
	return rounded
}
