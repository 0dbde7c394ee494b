package mutate

import "math/rand/v2"

// mutator damages events.
type mutator struct {
	random *rand.Rand
	others [][]byte // samples of the same shape, to splice in
	buffer []byte
}

// tokens are what parsers stumble over.
func tokens() []string {
	return []string{
		"null", "NaN", "-Infinity", "1e400", "-0", "9223372036854775808", "0.1e-320", `"`, `\u0000`, `\ud800`, "{}", "[]", "[[[[[[[[", "}", "]", ",", ":", "\x00", "\xff\xfe",
		"true", `""`, `{"a":{}}`, "1790000000000", "\u00e9", "\xff\xff\xff\xff", "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
	}
}

// mutate returns a damaged copy, valid until the next call: one to three of
// flipped bits, other bytes, other digits, cuts, repeats, tokens and splices.
func (m *mutator) mutate(value []byte) []byte {
	b := append(m.buffer[:0], value...)
	words := tokens()
	for range 1 + m.random.IntN(3) {
		if len(b) == 0 {
			break
		}
		at := m.random.IntN(len(b))
		switch m.random.IntN(10) {
		case 0, 1:
			b[at] ^= 1 << m.random.IntN(8)
		case 2:
			b[at] = byte(m.random.IntN(256))
		case 3, 4, 5:
			m.digit(b, at)
		case 6:
			if m.random.IntN(4) == 0 {
				b = b[:at]
			} else { // a span is missing
				b = append(b[:at], b[min(len(b), at+1+m.random.IntN(8)):]...)
			}
		case 7:
			span := append([]byte(nil), b[at:min(len(b), at+1+m.random.IntN(32))]...)
			b = splice(b, at, span)
		case 8:
			b = splice(b, at, []byte(words[m.random.IntN(len(words))]))
		default:
			other := m.others[m.random.IntN(len(m.others))]
			from := m.random.IntN(len(other))
			b = splice(b, at, other[from:min(len(other), from+1+m.random.IntN(64))])
		}
	}
	m.buffer = b
	return b
}

// digit changes the next digit at or after a place, so that many events stay
// valid and mean something else.
func (m *mutator) digit(b []byte, at int) {
	for i := range b {
		if c := &b[(at+i)%len(b)]; *c >= '0' && *c <= '9' {
			*c = byte('0' + m.random.IntN(10))
			return
		}
	}
}

// splice inserts a piece.
func splice(b []byte, at int, piece []byte) []byte {
	n := len(b)
	b = append(b, piece...)
	copy(b[at+len(piece):], b[at:n])
	copy(b[at:], piece)
	return b
}
