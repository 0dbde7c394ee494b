package decode

import "strconv"

// treeWriter writes a tree as JSON again, with some of its values replaced. It
// serves refusals only.
type treeWriter struct {
	t     *tree
	out   []byte
	other []replacement
}

type replacement struct {
	at    ref
	write func(*treeWriter)
}

// replace has a value written by a function.
func (w *treeWriter) replace(at ref, write func(*treeWriter)) {
	w.other = append(w.other, replacement{at, write})
}

func (w *treeWriter) byte(b byte) { w.out = append(w.out, b) }

// value writes a value and what it holds.
func (w *treeWriter) value(r ref) {
	for _, o := range w.other {
		if o.at == r {
			o.write(w)
			return
		}
	}
	t := w.t
	switch t.kind(r) {
	case isObject:
		w.object(r)
		w.byte('}')
	case isArray:
		w.byte('[')
		for e := t.first(r); e != 0; e = t.next(e) {
			w.comma('[')
			w.value(e)
		}
		w.byte(']')
	case isString:
		w.text(t.text(r))
	case isNothing, isNull:
		w.out = append(w.out, "null"...)
	case isNumber:
		w.number(r)
	default:
		w.out = append(w.out, t.text(r)...)
	}
}

// number writes a number as it was written, if that was JSON: CSV knows more.
func (w *treeWriter) number(r ref) {
	var s scanner
	s.reset(w.t.text(r))
	if _, err := s.number(); err == nil && s.i == len(s.b) {
		w.out = append(w.out, s.b...)
		return
	}
	switch v := w.t.nodes[r].number; {
	case v != v:
		w.out = append(w.out, "NaN"...)
	case v > 0 && v*2 == v:
		w.out = append(w.out, "Infinity"...)
	case v < 0 && v*2 == v:
		w.out = append(w.out, "-Infinity"...)
	default:
		w.out = strconv.AppendFloat(w.out, v, 'g', -1, 64)
	}
}

// object writes an object without some of its members, and leaves it open.
func (w *treeWriter) object(r ref, without ...string) {
	t := w.t
	w.byte('{')
members:
	for m := t.first(r); m != 0; m = t.next(m) {
		for _, name := range without {
			if string(t.key(m)) == name {
				continue members
			}
		}
		w.member(string(t.key(m)))
		w.value(m)
	}
}

// member begins a member of the object that is open.
func (w *treeWriter) member(name string) {
	w.comma('{')
	w.text([]byte(name))
	w.byte(':')
}

func (w *treeWriter) comma(after byte) {
	if n := len(w.out); n > 0 && w.out[n-1] != after {
		w.byte(',')
	}
}

// text writes a string.
func (w *treeWriter) text(b []byte) {
	const hex = "0123456789abcdef"
	w.byte('"')
	for _, c := range b {
		switch {
		case c == '"' || c == '\\':
			w.out = append(w.out, '\\', c)
		case c < 0x20:
			w.out = append(w.out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			w.out = append(w.out, c)
		}
	}
	w.byte('"')
}
