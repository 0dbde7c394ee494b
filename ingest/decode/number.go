package decode

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// exactPowers are the powers of ten that float64 holds exactly, and wholePowers
// those that eight digits can be shifted by. Nobody writes to them.
var (
	exactPowers = [...]float64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}
	wholePowers = [...]uint64{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8}
	// signedPowers give a quotient its sign without a branch, and a zero too.
	signedPowers = [2][8]float64{{1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7}, {-1e0, -1e1, -1e2, -1e3, -1e4, -1e5, -1e6, -1e7}}
)

// highs are the highest bits of the bytes of a word.
const highs = 0x8080808080808080

// lead looks at the next eight bytes and returns them as digits, and how many of
// the first are digits; what follows in the word has no meaning. The lengths of
// measured numbers vary, so that a loop over digits is mispredicted, and eight
// bytes cost about as much as two digits in a loop.
func lead(b []byte) (word uint64, n int) {
	w := binary.LittleEndian.Uint64(b) ^ 0x3030303030303030
	// The lowest byte that is no digit is found right; those above may have got a
	// carry.
	return w, bits.TrailingZeros64(((w+0x7676767676767676)|w)&highs) >> 3
}

// eight is the value of eight digits, the first in the lowest byte (Daniel
// Lemire, "Quickly parsing eight digits").
func eight(w uint64) uint64 {
	w = w*10 + w>>8
	w = (w&0x00FF00FF00FF00FF*100 + w>>16&0x00FF00FF00FF00FF) & 0x0000FFFF0000FFFF
	return (w*10_000 + w>>32) & 0xFFFFFFFF
}

// digits reads decimal digits from i on behind those of v, and returns the
// position behind them. With more than 19 digits in all v has overflowed.
func digits(b []byte, i int, v uint64) (uint64, int) {
	for len(b)-i >= 8 {
		w, n := lead(b[i:])
		v = v*wholePowers[n] + eight(w<<((8-n)*8))
		i += n
		if n < 8 {
			return v, i
		}
	}
	for ; i < len(b) && b[i]-'0' <= 9; i++ {
		v = v*10 + uint64(b[i]-'0')
	}
	return v, i
}

// shortDecimal reads the number at i, behind its sign (1 for a minus, else 0), if
// it is of the usual kind: up to seven digits, then perhaps a point and up to
// seven digits. Their value is exact, and so is the power of ten, so that one
// division rounds once (Clinger's fast path). It returns no length for any other.
func shortDecimal(b []byte, i, sign int) (v float64, length int) {
	if len(b)-i < 17 {
		return 0, 0
	}
	whole, n := lead(b[i:])
	if n == 0 || n == 8 || b[i] == '0' && n > 1 {
		return 0, 0
	}
	// The masks change nothing and spare the compiler's checks.
	whole <<= (64 - 8*n) & 63
	if c := b[i+n]; c != '.' {
		if c|0x20 == 'e' {
			return 0, 0
		}
		return float64(int64(eight(whole))) / signedPowers[sign&1][0], n
	}
	part, places := lead(b[i+n+1:])
	length = n + 1 + places
	if places == 0 || places == 8 || b[i+length]|0x20 == 'e' {
		return 0, 0
	}
	part <<= (64 - 8*places) & 63
	power := signedPowers[sign&1][places&7]
	if n+places <= 8 {
		return float64(int64(eight(whole>>(8*places&63)|part))) / power, length
	}
	return float64(int64(eight(whole)*wholePowers[places&7]+eight(part))) / power, length
}

// number reads a JSON number, or one of the words NaN, Infinity and -Infinity,
// and rounds it to the nearest float64 as strconv.ParseFloat does. A number
// beyond the range of float64, or too close to 0 for it, is refused.
func (s *scanner) number() (float64, *Error) {
	b, sign := s.b, 0
	if s.i < len(b) && b[s.i] == '-' {
		sign = 1
	}
	first, negative := s.i+sign, sign > 0
	if v, length := shortDecimal(b, first, sign); length > 0 {
		s.i = first + length
		return v, nil
	}
	mantissa, i := digits(b, first, 0)
	if n := i - first; n == 0 || n > 1 && b[first] == '0' {
		if n == 0 && first < len(b) && (b[first] == 'N' || b[first] == 'I') {
			return s.special(first, negative)
		}
		return 0, bad(Unparsable, "a value is not valid JSON")
	}
	whole := i - first
	places := 0
	if i < len(b) && b[i] == '.' {
		point := i + 1
		mantissa, i = digits(b, point, mantissa)
		if places = i - point; places == 0 {
			return 0, bad(Unparsable, "digits must follow a decimal point")
		}
	}
	start := s.i
	if i < len(b) && b[i]|0x20 == 'e' {
		return s.scientific(start, i+1)
	}
	s.i = i
	// Clinger's fast path: an exact integer over an exact power of ten is one
	// correctly rounded operation.
	if whole+places <= 19 && mantissa < 1<<53 {
		v := float64(mantissa) / exactPowers[places]
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

// wholeHint is what to do about a whole number that float64 may have rounded.
const wholeHint = "a whole number beyond 2^53-1 would be rounded, and so be one with its neighbours; send it as a text"

// rounded reports whether a whole number is so large that float64 may not hold it.
// Of measured numbers the nearest one will do. What was predicted, labels and votes
// are compared: two that are rounded to one would count as a hit.
func rounded(v float64) bool { return v >= 1<<53 || v <= -1<<53 }

// roundedWhole is rounded for a number as it is written. One with a point or an
// exponent is a float64 to whoever wrote it, and is taken as that.
func roundedWhole(v float64, written []byte) bool {
	if !rounded(v) {
		return false
	}
	for _, c := range written {
		if c-'0' > 9 && c != '-' && c != '+' {
			return false // or one of the words for an infinity
		}
	}
	return true
}

// finite reports whether v is a number, and not an infinity either.
func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// What to do about a number whose size float64 does not hold.
const (
	overflowHint  = "the number does not fit a float64: write it in a unit in which it is at most 1.7e308, or leave it out"
	underflowHint = "the number does not fit a float64, which would make it 0: write it in a unit in which it is at least 5e-324, or as 0"
)

// parse reads what the fast paths leave over. A number that is too small for a
// float64 is refused as one that is too large is: 0 is another number.
func parse(b []byte) (float64, *Error) {
	// The string does not outlive the call, and ParseFloat's error is dropped.
	v, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(b), len(b)), 64)
	switch {
	case err != nil:
		return 0, bad(BadValue, overflowHint)
	case v == 0 && vanished(b):
		return 0, bad(BadValue, underflowHint)
	}
	return v, nil
}

// vanished reports whether a decimal number that was rounded to 0 is not 0.
func vanished(b []byte) bool {
	for _, c := range b {
		switch {
		case c|0x20 == 'e':
			return false
		case c-'1' <= 8:
			return true
		}
	}
	return false
}
