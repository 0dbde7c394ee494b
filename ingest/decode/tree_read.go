package decode

import (
	"math"
	"strconv"
	"strings"
)

// maxPath bounds the name of a field in an error, in bytes: keys of foreign
// documents may be of any length.
const maxPath = 400

// path names a value by where it stands, such as captureData.rows[3].id. It
// serves errors only.
func (t *tree) path(r ref) string {
	if r == 0 {
		return ""
	}
	n := &t.nodes[r]
	switch parent := &t.nodes[n.parent]; parent.kind {
	case isObject:
		return t.pathOf(n.parent, n.key)
	case isArray:
		return cut(t.path(n.parent) + "[" + strconv.Itoa(int(n.place)) + "]")
	}
	return t.path(n.parent) // the root, or a document within a string
}

// pathOf names the member of an object, or the element of an array that is
// being read.
func (t *tree) pathOf(parent ref, key []byte) string {
	path := t.path(parent)
	if t.nodes[parent].kind == isArray {
		return cut(path + "[" + strconv.Itoa(int(t.nodes[parent].size)) + "]")
	}
	if path != "" {
		path += "."
	}
	return cut(path + string(key[:min(len(key), maxName)]))
}

func cut(path string) string {
	if len(path) <= maxPath {
		return path
	}
	return strings.ToValidUTF8(path[:maxPath], "") + "..."
}

// fail refuses a value.
func (t *tree) fail(r ref, reason Reason, hint string) *Error {
	return bad(reason, hint).at(t.path(r))
}

// missing refuses an object for what it lacks.
func (t *tree) missing(object ref, key, hint string) *Error {
	return bad(MissingField, hint).at(t.pathOf(object, []byte(key)))
}

// mistyped refuses a value for its type.
func (t *tree) mistyped(r ref, hint string) *Error {
	if k := t.kind(r); k == isObject || k == isArray {
		return t.fail(r, TooNested, hint+", not an object or array")
	}
	return t.fail(r, WrongType, hint)
}

// object checks that a value is an object. What is not there is none.
func (t *tree) object(r ref, hint string) *Error {
	if t.kind(r) != isObject {
		return t.fail(r, WrongType, hint)
	}
	return nil
}

// plainText reads a string of any length; what is not there, or null, is nil.
func (t *tree) plainText(r ref) ([]byte, *Error) {
	switch t.kind(r) {
	case isNothing, isNull:
		return nil, nil
	case isString:
		return t.text(r), nil
	}
	return nil, t.mistyped(r, "send a string")
}

// name reads a string of at most 256 bytes; what is not there, or null, is nil.
func (t *tree) name(r ref) ([]byte, *Error) {
	b, err := t.plainText(r)
	if len(b) > maxName {
		return nil, t.fail(r, BadValue, "the text is longer than 256 bytes")
	}
	return b, err
}

// label reads a name that may be written as a string, a boolean or a number,
// which is kept as it is written.
func (t *tree) label(r ref) ([]byte, *Error) {
	switch t.kind(r) {
	case isTrue, isFalse, isNumber:
		if len(t.text(r)) > maxName {
			return nil, t.fail(r, BadValue, "the text is longer than 256 bytes")
		}
		return t.text(r), nil
	}
	return t.name(r)
}

// measured reads a number; what is not there, or null, is none.
func (t *tree) measured(r ref) (v float64, ok bool, err *Error) {
	switch t.kind(r) {
	case isNothing, isNull:
		return 0, false, nil
	case isNumber:
		return t.nodes[r].number, true, nil
	}
	return 0, false, t.mistyped(r, "send a number")
}

// class reads a class (a string or boolean) or a number; what is not there, or
// null, is neither.
func (t *tree) class(r ref) (class []byte, v float64, number bool, err *Error) {
	switch t.kind(r) {
	case isNothing, isNull:
		return nil, 0, false, nil
	case isNumber:
		if v = t.nodes[r].number; roundedWhole(v, t.text(r)) {
			return nil, 0, false, t.fail(r, BadValue, wholeHint)
		}
		return nil, v, true, nil
	case isTrue, isFalse:
		return t.text(r), 0, false, nil
	case isString:
		class, err = t.name(r)
		return class, 0, false, err
	}
	return nil, 0, false, t.mistyped(r, "send a class or a number")
}

// classOf is class; where numbers are classes, a number is read as its text, which
// stands until the next one.
func (t *tree) classOf(r ref, classes bool) (class []byte, v float64, number bool, err *Error) {
	class, v, number, err = t.class(r)
	if err != nil || !number || !classes || !finite(v) { // NaN names no class
		return class, v, number, err
	}
	if rounded(v) {
		return nil, 0, false, t.fail(r, BadValue, wholeHint)
	}
	t.digits = className(t.digits[:0], v)
	return t.digits, 0, false, nil
}

// className writes a number as the name of a class: 1 for 1, 1.0 and 1e0.
func className(into []byte, v float64) []byte {
	if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
		return strconv.AppendInt(into, int64(v), 10)
	}
	return strconv.AppendFloat(into, v, 'g', -1, 64)
}

// whole reads an integer that float64 holds exactly.
func (t *tree) whole(r ref, hint string) (int64, *Error) {
	if t.kind(r) != isNumber {
		return 0, t.mistyped(r, hint)
	}
	v := t.nodes[r].number
	if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		return 0, t.fail(r, BadValue, hint)
	}
	return int64(v), nil
}

// instant reads a point in time as Unix milliseconds: an RFC 3339 string, cut
// to the millisecond, or an integer number.
func (t *tree) instant(r ref) (int64, *Error) {
	switch t.kind(r) {
	case isNothing, isNull:
		return 0, t.fail(r, MissingField, timeHint)
	case isString:
		ms, err := parseTime(t.text(r))
		if err != nil {
			return 0, err.at(t.path(r))
		}
		return ms, nil
	}
	return t.whole(r, timeHint)
}

// treeFeature adds a plain value to the row under way: a number, a category or a
// null. What it cannot add it refuses under the value's path.
func (p *Predictions) treeFeature(t *tree, name []byte, r ref) *Error {
	id, err := p.feature(name)
	if err != nil {
		return err.at(t.path(r))
	}
	switch t.kind(r) {
	case isNumber:
		p.number(id, t.nodes[r].number)
	case isString, isTrue, isFalse:
		p.category(id, t.text(r))
	case isNull:
		p.null(id)
	default:
		return t.mistyped(r, "a feature is a number, a string, a boolean or null")
	}
	return nil
}

// pointer is a JSON pointer (RFC 6901), compiled.
type pointer []token

type token struct {
	name  string
	index int // of an element, -1 if the name is no index
}

// parsePointer compiles a pointer. It is empty, the whole document, or begins
// with a slash.
func parsePointer(text string) (pointer, error) {
	if text == "" {
		return nil, nil
	}
	if text[0] != '/' {
		return nil, pointerError{text, "begin it with a slash, such as /request/id"}
	}
	var p pointer
	for _, part := range strings.Split(text[1:], "/") {
		for rest := part; ; {
			i := strings.IndexByte(rest, '~')
			if i < 0 {
				break
			}
			if rest = rest[i+1:]; rest == "" || rest[0] != '0' && rest[0] != '1' {
				return nil, pointerError{text, "write ~0 for a tilde and ~1 for a slash in a name"}
			}
		}
		index := -1
		if n, err := strconv.ParseUint(part, 10, 31); err == nil && (part == "0" || part[0] != '0' && part[0] != '+') {
			index = int(n)
		}
		p = append(p, token{strings.NewReplacer("~1", "/", "~0", "~").Replace(part), index})
	}
	return p, nil
}

type pointerError struct{ pointer, hint string }

func (e pointerError) Error() string {
	return strconv.Quote(e.pointer) + " is no JSON pointer (RFC 6901): " + e.hint
}

// find follows a pointer from a value; 0 if it leads nowhere.
func (t *tree) find(r ref, p pointer) ref {
	for i := range p {
		if t.kind(r) == isArray {
			r = t.index(r, p[i].index)
		} else {
			r = t.get(r, p[i].name)
		}
	}
	return r
}
