package decode

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of values that are skipped.
const maxDepth = 16

// scanner reads one JSON document. Byte slices that it returns point into the
// document or, if they held escapes, into scratch, and are valid until reset.
type scanner struct {
	b       []byte
	i       int
	scratch []byte
}

func (s *scanner) reset(b []byte) { s.b, s.i, s.scratch = b, 0, s.scratch[:0] }

// space skips white space and returns the byte that follows, 0 at the end.
func (s *scanner) space() byte {
	if s.i < len(s.b) {
		if c := s.b[s.i]; c > ' ' {
			return c
		}
	}
	return s.blank()
}

// blank is space where there may be some.
func (s *scanner) blank() byte {
	for s.i < len(s.b) {
		switch c := s.b[s.i]; c {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return c
		}
	}
	return 0
}

// expect skips white space and the byte c.
func (s *scanner) expect(c byte, hint string) *Error {
	if s.space() != c {
		return bad(Unparsable, hint)
	}
	s.i++
	return nil
}

// key reads `"key":` and leaves the scanner at the value.
func (s *scanner) key() ([]byte, *Error) {
	if s.space() != '"' {
		return nil, bad(Unparsable, "an object key must be a string")
	}
	key, err := s.text()
	if err != nil {
		return nil, err
	}
	if err := s.expect(':', "a colon must follow an object key"); err != nil {
		return nil, err
	}
	s.space()
	return key, nil
}

// more is called after a member: it skips the comma and reports true, or skips
// the closing byte and reports false.
func (s *scanner) more(closing byte) (bool, *Error) {
	switch s.space() {
	case ',':
		s.i++
		return true, nil
	case closing:
		s.i++
		return false, nil
	}
	return false, bad(Unparsable, "a comma or a closing bracket is missing")
}

// open skips the opening byte and reports whether a first member follows; an
// empty object or array is skipped whole.
func (s *scanner) open(closing byte) bool {
	s.i++
	if s.space() == closing {
		s.i++
		return false
	}
	return true
}

// text reads a string; the scanner stands at its opening quote.
func (s *scanner) text() ([]byte, *Error) {
	s.i++
	start, wide := s.i, false
	for i := plainRun(s.b, s.i); i < len(s.b); i++ {
		switch c := s.b[i]; {
		case c == '"':
			s.i = i + 1
			if wide && !utf8.Valid(s.b[start:i]) {
				return nil, bad(BadText, "send valid UTF-8")
			}
			return s.b[start:i], nil
		case c == '\\':
			return s.escaped(start, i)
		case c < 0x20:
			return nil, controlByte(c)
		case c >= utf8.RuneSelf:
			wide = true
		}
	}
	return nil, bad(Unparsable, "a string is not closed")
}

// plainRun returns the position of the first byte from i on that is a quote, a
// backslash, a control character or no ASCII, looking at whole words; it may stop
// earlier.
func plainRun(b []byte, i int) int {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(b)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(b[i:])
		// A subtraction sets the highest bit of a byte that is too small for it.
		// It borrows from the bytes above, but the lowest is right.
		quote, backslash := (w^'"'*ones)-ones, (w^'\\'*ones)-ones
		if found := (quote | backslash | (w - 0x20*ones) | w) & high; found != 0 {
			return i + bits.TrailingZeros64(found)>>3
		}
	}
	return i
}

func controlByte(c byte) *Error {
	if c == 0 {
		return bad(BadText, "remove the NUL")
	}
	return bad(Unparsable, "escape control characters in strings")
}

// escaped reads the rest of a string whose first backslash stands at i.
func (s *scanner) escaped(start, i int) ([]byte, *Error) {
	base := len(s.scratch)
	out := append(s.scratch, s.b[start:i]...)
	for i < len(s.b) {
		c := s.b[i]
		switch {
		case c == '"':
			s.i, s.scratch = i+1, out
			if !utf8.Valid(out[base:]) {
				return nil, bad(BadText, "send valid UTF-8")
			}
			return out[base:], nil
		case c < 0x20:
			return nil, controlByte(c)
		case c != '\\':
			out = append(out, c)
			i++
			continue
		}
		var err *Error
		if out, i, err = s.escape(out, i+1); err != nil {
			return nil, err
		}
	}
	return nil, bad(Unparsable, "a string is not closed")
}

// escape appends what the escape sequence at i, after its backslash, stands
// for and returns the position behind it.
func (s *scanner) escape(out []byte, i int) ([]byte, int, *Error) {
	if i >= len(s.b) {
		return nil, i, bad(Unparsable, "a string is not closed")
	}
	switch c := s.b[i]; c {
	case '"', '\\', '/':
		return append(out, c), i + 1, nil
	case 'b':
		return append(out, '\b'), i + 1, nil
	case 'f':
		return append(out, '\f'), i + 1, nil
	case 'n':
		return append(out, '\n'), i + 1, nil
	case 'r':
		return append(out, '\r'), i + 1, nil
	case 't':
		return append(out, '\t'), i + 1, nil
	case 'u':
		return s.unicode(out, i+1)
	}
	return nil, i, bad(Unparsable, "a backslash starts no known escape")
}

func (s *scanner) unicode(out []byte, i int) ([]byte, int, *Error) {
	r, ok := hex4(s.b, i)
	if !ok {
		return nil, i, bad(Unparsable, `\u needs four hexadecimal digits`)
	}
	i += 4
	if r == 0 {
		return nil, i, bad(BadText, "remove the NUL")
	}
	if !utf16.IsSurrogate(r) {
		return utf8.AppendRune(out, r), i, nil
	}
	if i+1 < len(s.b) && s.b[i] == '\\' && s.b[i+1] == 'u' {
		low, ok := hex4(s.b, i+2)
		if pair := utf16.DecodeRune(r, low); ok && pair != utf8.RuneError {
			return utf8.AppendRune(out, pair), i + 6, nil
		}
	}
	return nil, i, bad(BadText, "a surrogate stands without its other half")
}

func hex4(b []byte, i int) (rune, bool) {
	if i+4 > len(b) {
		return 0, false
	}
	var r rune
	for _, c := range b[i : i+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// word skips a literal such as true.
func (s *scanner) word(w string) *Error {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return bad(Unparsable, "a value is neither a string, a number, true, false, null, an object nor an array")
	}
	s.i += len(w)
	return nil
}

// skip checks and skips any value.
func (s *scanner) skip(depth int) *Error {
	if depth > maxDepth {
		return bad(TooNested, "flatten the event: values nest deeper than 16")
	}
	switch c := s.space(); {
	case c == '"':
		_, err := s.text()
		return err
	case c == '{':
		return s.skipMembers('}', depth, true)
	case c == '[':
		return s.skipMembers(']', depth, false)
	case c == 't':
		return s.word("true")
	case c == 'f':
		return s.word("false")
	case c == 'n':
		return s.word("null")
	default:
		_, err := s.number()
		return err
	}
}

func (s *scanner) skipMembers(closing byte, depth int, keyed bool) *Error {
	more := s.open(closing)
	for more {
		if keyed {
			if _, err := s.key(); err != nil {
				return err
			}
		}
		err := s.skip(depth + 1)
		if err != nil {
			return err
		}
		if more, err = s.more(closing); err != nil {
			return err
		}
	}
	return nil
}

const followsHint = "send one JSON object a record: something follows the first"

// end checks that nothing but white space follows.
func (s *scanner) end() *Error {
	s.space()
	if s.i != len(s.b) {
		return bad(Unparsable, followsHint)
	}
	return nil
}

// fields reads the value of one member of an event; a key it does not know is
// skipped.
type fields interface {
	field(s *scanner, key []byte) *Error
}

// members reads a record that is one JSON object. Predictions have a loop of
// their own, which learns the order of their keys.
func (s *scanner) members(record []byte, into fields) *Error {
	s.reset(record)
	if s.space() != '{' {
		return noObject(record)
	}
	for more := s.open('}'); more; {
		key, err := s.key()
		if err == nil {
			if err = into.field(s, key); err != nil {
				err = err.at(string(key))
			}
		}
		if err == nil {
			more, err = s.more('}')
		}
		if err != nil {
			return err
		}
	}
	return s.end()
}
