package ingesthttp

import "bytes"

// event is one event of a body, undecoded. value points into the body.
type event struct {
	line  int // where it begins, from 1
	value []byte
	// fault, if not empty, says why the event is refused whatever it holds.
	fault string
}

// splitLines returns the events of JSON lines. It stops after more than limit,
// so that the caller sees that there are too many.
func splitLines(body []byte, limit int) []event {
	var events []event
	line := 0
	for raw := range bytes.Lines(body) {
		line++
		if value := trim(raw); len(value) > 0 {
			if events = append(events, event{line: line, value: value}); len(events) > limit {
				return events
			}
		}
	}
	return events
}

// splitJSON returns the events of a JSON body: the elements of an array, else
// the whole. It finds only where elements end; what they hold is the decoder's
// to judge. Every byte between the brackets but white space and the commas
// between elements is part of exactly one event, so that what does not parse is
// refused by name rather than skipped. What follows the array's end is an event
// as well, and a bad one. It stops after more than limit.
func splitJSON(body []byte, limit int) []event {
	s := splitter{body: body, line: 1}
	switch s.space() {
	case 0:
		return nil
	case '[':
		s.i++
	default:
		return []event{s.single()}
	}
	if s.space() == ']' {
		s.i++
	} else {
		for more := true; more && len(s.events) <= limit; {
			more = s.element()
		}
	}
	if s.space() != 0 && len(s.events) <= limit {
		s.events = append(s.events, event{s.line, trim(body[s.i:]), "something follows the end of the array; send one array"})
	}
	return s.events
}

// single takes the whole body as one event. JSON lines under the name of JSON
// are the usual mistake, so it is told apart.
func (s *splitter) single() event {
	e, depth := event{line: s.line, value: trim(s.body[s.i:])}, 0
	for ; s.i < len(s.body); s.i++ {
		switch c := s.body[s.i]; {
		case c == '"':
			s.text()
		case c == '{':
			depth++
		case c == '}':
			if depth--; depth == 0 {
				s.i++
				if s.space() == '{' {
					e.fault = "several objects follow each other; send one a line as application/x-ndjson, or an array"
				}
				return e
			}
		}
	}
	return e
}

type splitter struct {
	body   []byte
	i      int
	line   int
	events []event
}

// space skips white space and returns the byte that follows, 0 at the end. A
// NUL in the body is no end: the caller takes the rest as an event.
func (s *splitter) space() byte {
	for ; s.i < len(s.body); s.i++ {
		switch c := s.body[s.i]; c {
		case '\n':
			s.line++
		case ' ', '\t', '\r':
		case 0:
			return 1
		default:
			return c
		}
	}
	return 0
}

// element takes the next element and what ends it, and reports whether another
// follows. The last element of an array that is not closed is refused: it may
// have been cut.
func (s *splitter) element() (more bool) {
	s.space()
	from, line, depth := s.i, s.line, 0
	for ; s.i < len(s.body); s.i++ {
		switch c := s.body[s.i]; {
		case c == '\n':
			s.line++
		case c == '"':
			s.text()
		case c == '{' || c == '[':
			depth++
		case depth > 0 && (c == '}' || c == ']'):
			depth--
		case depth == 0 && (c == ',' || c == ']'):
			s.events = append(s.events, event{line: line, value: trim(s.body[from:s.i])})
			s.i++
			return c == ','
		}
	}
	s.events = append(s.events, event{line, trim(s.body[from:]), "the array is not closed; send it whole"})
	return false
}

// text moves to the closing quote of the string that begins here, or to the
// end of the body.
func (s *splitter) text() {
	for s.i++; s.i < len(s.body); s.i++ {
		switch s.body[s.i] {
		case '"':
			return
		case '\\':
			s.i++
		case '\n':
			s.line++
		}
	}
}

func trim(b []byte) []byte { return bytes.Trim(b, " \t\r\n") }
