package decode

import (
	"bytes"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// csv reads comma-separated lines (RFC 4180) into the tree, below the value that
// stands for them: an array of lines, each an array of its fields. A field that
// reads as a decimal number, or as nan or inf in any case and with a sign or
// without, is a number, which a float64 must hold; an empty one is null; any
// other, and every one in quotation marks, is text. Blank lines at the end are
// none.
func (t *tree) csv(at ref, document []byte) (ref, *Error) {
	document = bytes.TrimRight(document, "\r\n")
	lines := t.graft(at, node{kind: isArray, text: document})
	for len(document) > 0 {
		line := t.graft(lines, node{kind: isArray})
		for more := true; more; {
			n, rest, end, err := csvField(document)
			if err == nil && len(t.nodes) > t.max {
				err = bad(TooLarge, "the event holds too many values; send fewer rows a record, or raise max_event_bytes")
			}
			if err != nil {
				return 0, err.at(t.path(line) + "[" + strconv.Itoa(t.size(line)) + "]")
			}
			t.graft(line, n)
			document, more = rest, !end
		}
	}
	return lines, nil
}

// graft adds a value as the last one of an array, or below one that stands for a
// document.
func (t *tree) graft(parent ref, n node) ref {
	id := ref(len(t.nodes))
	n.parent, n.place = parent, t.nodes[parent].size
	t.nodes = append(t.nodes, n)
	if t.nodes[parent].kind == isArray {
		t.hang(id)
	}
	return id
}

// csvField reads one field, and whether its line ends with it.
func csvField(b []byte) (n node, rest []byte, end bool, err *Error) {
	if len(b) == 0 {
		return node{kind: isNull}, nil, true, nil
	}
	if b[0] == '"' {
		return csvQuoted(b)
	}
	i := bytes.IndexAny(b, ",\n\"")
	if i >= 0 && b[i] == '"' {
		return node{}, nil, false, bad(Unparsable, "a quotation mark stands inside a field of CSV; put the field in quotation marks and double it")
	}
	field, end := b, true
	if i >= 0 {
		field, rest, end = b[:i], b[i+1:], b[i] == '\n'
	}
	if err = csvText(field); err == nil {
		n, err = csvPlain(field)
	}
	return n, rest, end, err
}

func csvQuoted(b []byte) (n node, rest []byte, end bool, err *Error) {
	n.kind = isString
	escaped := false
	for i := 1; i < len(b); i++ {
		if b[i] != '"' {
			continue
		}
		if i+1 < len(b) && b[i+1] == '"' {
			escaped = true
			i++
			continue
		}
		n.text = b[1:i]
		if escaped {
			n.text = bytes.ReplaceAll(n.text, []byte(`""`), []byte(`"`))
		}
		rest = bytes.TrimPrefix(b[i+1:], []byte("\r"))
		switch {
		case len(rest) == 0:
			return n, nil, true, csvText(n.text)
		case rest[0] == ',' || rest[0] == '\n':
			return n, rest[1:], rest[0] == '\n', csvText(n.text)
		}
		return node{}, nil, false, bad(Unparsable, "a comma or the end of the line must follow a field of CSV in quotation marks")
	}
	return node{}, nil, false, bad(Unparsable, "a quotation mark of CSV is not closed")
}

func csvText(b []byte) *Error {
	if bytes.IndexByte(b, 0) >= 0 {
		return bad(BadText, "remove the NUL")
	}
	if !utf8.Valid(b) {
		return bad(BadText, "send valid UTF-8")
	}
	return nil
}

func csvPlain(b []byte) (node, *Error) {
	b = bytes.Trim(b, " \t\r")
	n := node{kind: isString, text: b}
	if len(b) == 0 {
		n.kind = isNull
		return n, nil
	}
	v, ok, err := decimalNumber(b)
	if err != nil {
		err.Hint += "; if it is no number, put the field in quotation marks"
	} else if ok {
		n.kind, n.number = isNumber, v
	}
	return n, err
}

// decimalNumber reads a decimal number as any of Python, R and C write it, and
// reports whether it is one. A number that no float64 holds is refused.
func decimalNumber(b []byte) (v float64, ok bool, err *Error) {
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9', c == '-', c == '+', c == '.', c == 'e', c == 'E':
		default:
			v, ok = special(b)
			return v, ok, nil
		}
	}
	v, failed := strconv.ParseFloat(text(b), 64)
	if errors.Is(failed, strconv.ErrRange) {
		return 0, false, bad(BadValue, overflowHint)
	}
	if failed == nil && v == 0 && vanished(b) {
		return 0, false, bad(BadValue, underflowHint)
	}
	return v, failed == nil, err
}

// special reads the words for what is no finite number. C prints the sign of a
// NaN, which has none that counts.
func special(b []byte) (float64, bool) {
	for _, word := range [...]string{"nan", "+nan", "-nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"} {
		if len(b) == len(word) && strings.EqualFold(text(b), word) {
			v, err := strconv.ParseFloat(strings.TrimLeft(word, "+-"), 64)
			if word[0] == '-' {
				v = -v
			}
			return v, err == nil
		}
	}
	return 0, false
}
