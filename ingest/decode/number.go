package decode

import (
	"math"
	"strconv"
	"unsafe"
)

// exactPowers are the powers of ten that float64 holds exactly.
func exactPower(n int) (float64, bool) {
	powers := [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}
	if n < 0 || n >= len(powers) {
		return 0, false
	}
	return powers[n], true
}

// number reads a JSON number, or one of the words NaN, Infinity and -Infinity,
// and rounds it to the nearest float64 as strconv.ParseFloat does. A number
// beyond the range of float64 is refused.
func (s *scanner) number() (float64, *Error) {
	start := s.i
	i, b := s.i, s.b
	negative := i < len(b) && b[i] == '-'
	if negative {
		i++
	}
	if i < len(b) && (b[i] == 'N' || b[i] == 'I') {
		return s.special(i, negative)
	}
	mantissa := uint64(0)
	first := i
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		mantissa = mantissa*10 + uint64(b[i]-'0')
	}
	digits := i - first
	if digits == 0 || (digits > 1 && b[first] == '0') {
		return 0, bad(Unparsable, "a value is not valid JSON")
	}
	exponent := 0
	if i < len(b) && b[i] == '.' {
		i++
		point := i
		for ; i < len(b) && b[i]-'0' <= 9; i++ {
			mantissa = mantissa*10 + uint64(b[i]-'0')
		}
		if i == point {
			return 0, bad(Unparsable, "digits must follow a decimal point")
		}
		exponent = point - i
		digits += i - point
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		return s.scientific(start, i+1)
	}
	s.i = i
	// Clinger's fast path: an exact integer over an exact power of ten is one
	// correctly rounded operation.
	if power, ok := exactPower(-exponent); ok && digits <= 19 && mantissa < 1<<53 {
		v := float64(mantissa) / power
		if negative {
			v = -v
		}
		return v, nil
	}
	return parse(b[start:i])
}

func (s *scanner) scientific(start, i int) (float64, *Error) {
	b := s.b
	if i < len(b) && (b[i] == '+' || b[i] == '-') {
		i++
	}
	first := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == first {
		return 0, bad(Unparsable, "digits must follow an exponent")
	}
	s.i = i
	return parse(b[start:i])
}

func (s *scanner) special(i int, negative bool) (float64, *Error) {
	s.i = i
	if !negative && s.b[i] == 'N' {
		return math.NaN(), s.word("NaN")
	}
	if err := s.word("Infinity"); err != nil {
		return 0, err
	}
	if negative {
		return math.Inf(-1), nil
	}
	return math.Inf(1), nil
}

func parse(b []byte) (float64, *Error) {
	// The string does not outlive the call, and ParseFloat's error is dropped.
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	if err != nil {
		return 0, bad(BadValue, "the number does not fit a float64")
	}
	return v, nil
}
