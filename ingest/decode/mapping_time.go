package decode

import (
	"bytes"
	"math"
	"strconv"
)

// perUnit is how many milliseconds a unit has.
func perUnit(unit string) float64 {
	switch unit {
	case "s":
		return 1e3
	case "us":
		return 1e-3
	case "ns":
		return 1e-6
	}
	return 1
}

// instant reads a point in time in the file's unit, as Unix milliseconds.
func (d *mapping) instant(m *mapped, rec Record) (int64, *Error) {
	if m.record {
		return rec.Known, nil
	}
	t := d.t
	r := d.at(m)
	if !t.there(r) {
		return 0, bad(MissingField, "the mapping's pointer "+m.text+" leads to nothing").at("ts")
	}
	switch {
	case m.unit == "":
		return t.instant(r)
	case m.unit == "rfc3339" && t.kind(r) != isString:
		return 0, t.mistyped(r, "send RFC 3339, as the mapping says")
	case m.unit == "rfc3339":
		return t.instant(r)
	case t.kind(r) != isString && t.kind(r) != isNumber:
		return 0, t.mistyped(r, "send a number, as the mapping says")
	}
	ms, ok := sinceEpoch(t.text(r), m.unit)
	if !ok {
		return 0, t.fail(r, BadValue, "send a number of "+m.unit+" since 1970")
	}
	return ms, nil
}

// sinceEpoch reads a number of units since 1970, cut to the millisecond.
func sinceEpoch(b []byte, unit string) (int64, bool) {
	if unit != "s" && !bytes.ContainsAny(b, ".eE") {
		whole, err := strconv.ParseInt(text(b), 10, 64)
		switch unit {
		case "ns":
			whole /= 1e6
		case "us":
			whole /= 1e3
		}
		return whole, err == nil && whole < 1<<53 && whole > -1<<53
	}
	v, ok, err := decimalNumber(b)
	if err != nil || !ok || !(math.Abs(v*perUnit(unit)) < 1<<53) {
		return 0, false
	}
	return scaled(b, placesOf(unit)), true
}

// placesOf is by how many places the point moves from a unit to milliseconds.
func placesOf(unit string) int {
	switch unit {
	case "s":
		return 3
	case "us":
		return -3
	case "ns":
		return -6
	}
	return 0
}

// scaled returns a decimal number with its point moved, cut towards the past. It
// goes by the digits that are written: the float64 that is nearest to a point in
// time may be in another millisecond.
func scaled(b []byte, places int) (v int64) {
	negative := b[0] == '-'
	if e := bytes.IndexAny(b, "eE"); e >= 0 {
		exponent, _ := strconv.Atoi(text(b[e+1:])) // a number that was parsed already
		b, places = b[:e], places+exponent
	}
	b = bytes.TrimLeft(b, "+-")
	point, digit, rest := len(b), 0, false
	if i := bytes.IndexByte(b, '.'); i >= 0 {
		point = i
	}
	for _, c := range b {
		switch {
		case c == '.':
			continue
		case digit < point+places:
			v = v*10 + int64(c-'0')
		case c != '0':
			rest = true
		}
		digit++
	}
	for ; v != 0 && digit < point+places; digit++ {
		v *= 10
	}
	switch {
	case negative && rest:
		return -v - 1
	case negative:
		return -v
	}
	return v
}
