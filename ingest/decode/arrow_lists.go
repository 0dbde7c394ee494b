package decode

import (
	"encoding/binary"
	"math"
	"slices"
)

// transposed is the number of rows whose lists are written at a time, so that
// they stay in the first cache.
const transposed = 128

// numbers turns columns of numbers into a list a row.
func (a *arrowPredictions) numbers(b *arrowBatch, from, to int) {
	columns, l, n := a.reader.plan.numbers, &a.Numbers, to-from
	at := l.open(n)
	dense := !slices.ContainsFunc(columns, func(c int) bool { return b.vectors[c].nulls() })
	if !dense {
		a.sparseNumbers(b, from, to)
		return
	}
	stride := len(columns)
	l.regular(n, a.keysOf(columns))
	a.NumberValues = slices.Grow(a.NumberValues, n*stride)[:at+n*stride]
	for first := 0; first < n; first += transposed {
		last := min(first+transposed, n)
		for k, c := range columns {
			b.vectors[c].spread(a.NumberValues[at+first*stride+k:], stride, from+first, from+last)
		}
	}
}

// spread writes rows of numbers without nulls to every stride-th place.
func (v *arrowVector) spread(into []float64, stride, from, to int) {
	at := 0
	if v.kind != arrowFloat64 {
		for i := from; i < to; i++ {
			into[at] = v.float(i)
			at += stride
		}
		return
	}
	for data := v.data[8*from : 8*to]; len(data) >= 8; data = data[8:] {
		into[at] = math.Float64frombits(binary.LittleEndian.Uint64(data))
		at += stride
	}
}

// sparseNumbers is numbers where some are null.
func (a *arrowPredictions) sparseNumbers(b *arrowBatch, from, to int) {
	columns := a.reader.plan.numbers
	a.cursor = a.Numbers.irregular(a.cursor, to-from, func(row int) (entries int32) {
		for _, c := range columns {
			if !b.vectors[c].isNull(from + row) {
				entries++
			}
		}
		return entries
	})
	total := len(a.Numbers.Keys)
	a.NumberValues = slices.Grow(a.NumberValues, total-len(a.NumberValues))[:total]
	for _, c := range columns {
		v, key := &b.vectors[c], a.key(c)
		for row, at := range a.cursor {
			if !v.isNull(from + row) {
				a.Numbers.Keys[at], a.NumberValues[at] = key, v.float(from+row)
				a.cursor[row]++
			}
		}
	}
}

// open makes room for n rows and returns the number of entries so far.
func (l *List) open(n int) int {
	if len(l.Offsets) == 0 {
		l.Offsets = append(l.Offsets, 0)
	}
	l.Offsets = slices.Grow(l.Offsets, n)
	return len(l.Keys)
}

// regular appends n rows that have the same keys.
func (l *List) regular(n int, keys []int32) {
	at, total := len(l.Keys), n*len(keys)
	l.Keys = slices.Grow(l.Keys, total)[:at+total]
	if total > 0 {
		fresh := l.Keys[at:]
		for done := copy(fresh, keys); done < total; {
			done += copy(fresh[done:], fresh[:done])
		}
	}
	for range n {
		at += len(keys)
		l.Offsets = append(l.Offsets, int32(at))
	}
}

// irregular appends n rows of as many entries as count says, whose keys the
// caller writes from the places on that it returns.
func (l *List) irregular(cursor []int32, n int, count func(row int) int32) []int32 {
	cursor = cursor[:0]
	at := int32(l.open(n))
	for row := range n {
		cursor = append(cursor, at)
		at += count(row)
		l.Offsets = append(l.Offsets, at)
	}
	l.Keys = slices.Grow(l.Keys, int(at)-len(l.Keys))[:at]
	return cursor
}

func (a *arrowPredictions) keysOf(columns []int) []int32 {
	keys := a.reader.memory.takeInts(len(columns))
	for i, c := range columns {
		keys[i] = a.key(c)
	}
	return keys
}

// classes turns columns of text and booleans into a list a row.
func (a *arrowPredictions) classes(b *arrowBatch, from, to int) {
	a.CategoryValues = a.scatter(b, a.reader.plan.classes, &a.Categories, a.CategoryValues, &a.Values, from, to)
}

// segments does so for the segments, where a null is none.
func (a *arrowPredictions) segments(b *arrowBatch, from, to int) {
	a.SegmentValues = a.scatter(b, a.reader.plan.segments, &a.Segments, a.SegmentValues, &a.SegmentTexts, from, to)
}

// scatter appends the values of columns, as identifiers in dict, to a list a
// row. Nulls have no entry.
func (a *arrowPredictions) scatter(b *arrowBatch, columns []int, l *List, values []int32, dict *Dict, from, to int) []int32 {
	n, at := to-from, l.open(to-from)
	a.ids = a.ids[:0]
	dense := true
	for _, c := range columns {
		ids := a.identifiers(b, c, dict, from, to)
		dense = dense && !b.vectors[c].nulls()
		a.ids = append(a.ids, ids)
	}
	if dense {
		stride := len(columns)
		l.regular(n, a.keysOf(columns))
		values = slices.Grow(values, n*stride)[:at+n*stride]
		for k, ids := range a.ids {
			place := at + k
			for _, id := range ids {
				values[place] = id
				place += stride
			}
		}
		return values
	}
	a.cursor = l.irregular(a.cursor, n, func(row int) (entries int32) {
		for _, ids := range a.ids {
			if ids[row] >= 0 {
				entries++
			}
		}
		return entries
	})
	values = slices.Grow(values, len(l.Keys)-len(values))[:len(l.Keys)]
	for k, ids := range a.ids {
		key := a.key(columns[k])
		for row, id := range ids {
			if id >= 0 {
				l.Keys[a.cursor[row]], values[a.cursor[row]] = key, id
				a.cursor[row]++
			}
		}
	}
	return values
}

// identifiers returns the values of a column's rows as identifiers in dict, -1
// where there is none.
func (a *arrowPredictions) identifiers(b *arrowBatch, column int, dict *Dict, from, to int) []int32 {
	v, out := &b.vectors[column], a.reader.memory.takeInts(to-from)
	if v.index != nil {
		ids := a.remap(column, v.dict)
		for i, place := range v.index[from:to] {
			out[i] = -1
			if place >= 0 {
				if ids[place] < 0 {
					ids[place] = dict.ID(v.dict.texts[place])
				}
				out[i] = ids[place]
			}
		}
		return out
	}
	last := int32(-1)
	for i := range out {
		text, ok := a.textOf(v, from+i)
		if !ok {
			out[i] = -1
			continue
		}
		if last < 0 || !dict.Is(last, text) {
			last = dict.ID(text)
		}
		out[i] = last
	}
	return out
}

// nulls lists the features that are null in a row.
func (a *arrowPredictions) nulls(b *arrowBatch, from, to int) {
	columns := a.withNulls[:0]
	for _, c := range a.reader.plan.features {
		if b.vectors[c].nulls() {
			columns = append(columns, c)
		}
	}
	a.withNulls = columns
	if len(columns) == 0 {
		a.Nulls.open(to - from)
		a.Nulls.regular(to-from, nil)
		return
	}
	a.cursor = a.Nulls.irregular(a.cursor, to-from, func(row int) (entries int32) {
		for _, c := range columns {
			if b.vectors[c].isNull(from + row) {
				entries++
			}
		}
		return entries
	})
	for _, c := range columns {
		v, key := &b.vectors[c], a.key(c)
		for row, at := range a.cursor {
			if v.isNull(from + row) {
				a.Nulls.Keys[at] = key
				a.cursor[row]++
			}
		}
	}
}
