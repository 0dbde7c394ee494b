package decode

import (
	"encoding/binary"
	"slices"
	"strconv"
)

// remap says which identifier each value of a stream's dictionary has in one of
// the columns' dictionaries, -1 where that is not known yet. It holds for one
// record.
type remap struct {
	record uint64
	dict   *arrowValues
	ids    []int32
}

func (a *arrowPredictions) remap(column int, dict *arrowValues) []int32 {
	for column >= len(a.remaps) {
		a.remaps = append(a.remaps, remap{})
	}
	m := &a.remaps[column]
	if m.record != a.record || m.dict != dict {
		m.record, m.dict, m.ids = a.record, dict, m.ids[:0]
		for range dict.texts {
			m.ids = append(m.ids, -1)
		}
	}
	return m.ids
}

// fill appends the rows from to to of a batch, all of them good.
func (a *arrowPredictions) fill(b *arrowBatch, from, to int, rec Record) {
	plan, p := a.reader.plan, a.Predictions
	a.names(b, plan.one[roleModel], &p.Model, []byte(a.source.Model), from, to)
	a.names(b, plan.one[roleDeploy], &p.Deploy, []byte(a.source.Deploy), from, to)
	a.names(b, plan.one[roleStage], &p.Stage, orElse([]byte(a.source.Stage), wordProduction), from, to)
	a.names(b, plan.one[roleStatus], &p.Status, wordOK, from, to)
	a.predicted(b, plan.one[rolePredicted], from, to)
	p.Half.IDs = appendSame(p.Half.IDs, p.Half.Dict.ID(nil), to-from)
	p.ID.appendRows(&b.vectors[plan.one[roleID]], from, to)
	p.TS = append(p.TS, a.times[b.first+from:b.first+to]...)
	p.Score.appendRows(b, plan.one[roleScore], from, to)
	p.Latency.appendRows(b, plan.one[roleLatency], from, to)
	a.weigh(b, plan.one[roleWeight], from, to)
	p.Propensity.appendRows(b, plan.one[rolePropensity], from, to)
	a.doubts(b, from, to)
	p.Explained.putTruths(b, plan.one[roleExplained], from, to, len(p.TS)-(to-from))
	p.Source.Known = appendSame(p.Source.Known, rec.Known, to-from)
	p.Source.Offset = appendSame(p.Source.Offset, rec.Offset, to-from)
	if len(plan.maps) > 0 || b.hasParents() {
		a.byRow(b, from, to)
		return
	}
	a.numbers(b, from, to)
	a.classes(b, from, to)
	a.nulls(b, from, to)
	a.segments(b, from, to)
}

// hasParents reports whether a struct of features or segments is null in a row.
func (b *arrowBatch) hasParents() bool {
	return slices.ContainsFunc(b.vectors, func(v arrowVector) bool { return v.parent != nil })
}

func appendSame[T any](to []T, v T, n int) []T {
	to = slices.Grow(to, n)
	end := len(to) + n
	for i := len(to); i < end; i++ {
		to = append(to, v)
	}
	return to
}

// names appends a column of names; otherwise stands where there is none.
func (a *arrowPredictions) names(b *arrowBatch, column int, into *Names, otherwise []byte, from, to int) {
	if column < 0 || !a.reader.plan.columns[column].kind.text() {
		into.IDs = appendSame(into.IDs, into.Dict.ID(otherwise), to-from)
		return
	}
	v := &b.vectors[column]
	if v.index == nil {
		for i := from; i < to; i++ {
			text, _ := v.text(i)
			into.Append(orElse(text, otherwise))
		}
		return
	}
	ids := a.remap(column, v.dict)
	for _, place := range v.index[from:to] {
		switch {
		case place < 0:
			into.Append(otherwise)
			continue
		case ids[place] < 0:
			ids[place] = into.Dict.ID(orElse(v.dict.texts[place], otherwise))
		}
		into.IDs = append(into.IDs, ids[place])
	}
}

// predicted appends what was predicted: a class or a number.
func (a *arrowPredictions) predicted(b *arrowBatch, column, from, to int) {
	p := a.Predictions
	number := -1
	switch {
	case column >= 0 && a.reader.plan.columns[column].kind.number():
		number, column = column, -1
	case column >= 0 && a.reader.plan.columns[column].kind == arrowBool:
		v := &b.vectors[column]
		for i := from; i < to; i++ {
			p.Predicted.Append(v.word(i))
		}
		p.PredictedValue.appendRows(b, -1, from, to)
		return
	}
	a.names(b, column, &p.Predicted, nil, from, to)
	p.PredictedValue.appendRows(b, number, from, to)
}

// word is the text of a row of booleans; nil if it is null.
func (v *arrowVector) word(i int) []byte {
	switch {
	case v.isNull(i):
		return nil
	case v.bool(i):
		return wordTrue
	}
	return wordFalse
}

// appendRows appends rows of text, in one copy where they lie together.
func (t *Text) appendRows(v *arrowVector, from, to int) {
	if v.kind != arrowText || v.index != nil || from == to {
		for i := from; i < to; i++ {
			text, _ := v.text(i)
			t.Append(text)
		}
		return
	}
	if len(t.Offsets) == 0 {
		t.Offsets = append(t.Offsets, 0)
	}
	offsets := v.offsets[4*from : 4*(to+1)]
	first := binary.LittleEndian.Uint32(offsets)
	shift := uint32(len(t.Bytes)) - first
	t.Bytes = append(t.Bytes, v.data[first:binary.LittleEndian.Uint32(offsets[4*(to-from):])]...)
	t.Offsets = slices.Grow(t.Offsets, to-from)
	for offsets = offsets[4:]; len(offsets) >= 4; offsets = offsets[4:] {
		t.Offsets = append(t.Offsets, int32(binary.LittleEndian.Uint32(offsets)+shift))
	}
}

// appendRows appends rows of numbers, or absences if there is no column.
func (f *Floats) appendRows(b *arrowBatch, column, from, to int) {
	if column < 0 {
		for range to - from {
			f.Append(0, false)
		}
		return
	}
	v := &b.vectors[column]
	if !v.nulls() {
		f.appendAll(v, from, to)
		return
	}
	for i := from; i < to; i++ {
		if v.isNull(i) {
			f.Append(0, false)
		} else {
			f.Append(v.float(i), true)
		}
	}
}

// appendAll appends rows of which none is null.
func (f *Floats) appendAll(v *arrowVector, from, to int) {
	at, n := len(f.Values), to-from
	f.Values = slices.Grow(f.Values, n)[:at+n]
	v.spread(f.Values[at:], 1, from, to)
	for i := at; i < at+n; {
		switch {
		case i&7 == 0 && at+n-i >= 8:
			f.Valid = append(f.Valid, 0xFF)
			i += 8
			continue
		case i&7 == 0:
			f.Valid = append(f.Valid, 0)
		}
		f.Valid[i>>3] |= 1 << (i & 7)
		i++
	}
}

func (a *arrowPredictions) weigh(b *arrowBatch, column, from, to int) {
	if column < 0 {
		a.Weight = appendSame(a.Weight, 1, to-from)
		return
	}
	v := &b.vectors[column]
	for i := from; i < to; i++ {
		w := 1.0
		if !v.isNull(i) {
			w = v.float(i)
		}
		a.Weight = append(a.Weight, w)
	}
}

// key returns the identifier of a column's feature or segment in the columns it
// is stored in.
func (a *arrowPredictions) key(column int) int32 {
	if a.keyLife != a.life || a.keyPlan != a.reader.plan {
		a.keyLife, a.keyPlan, a.keys = a.life, a.reader.plan, a.keys[:0]
		for range a.reader.plan.columns {
			a.keys = append(a.keys, -1)
		}
	}
	if a.keys[column] < 0 {
		c := &a.reader.plan.columns[column]
		if c.role == roleSegment {
			a.keys[column] = a.SegmentKeys.ID([]byte(c.name))
		} else {
			a.keys[column] = a.intern([]byte(c.name))
		}
	}
	return a.keys[column]
}

// textOf is a row as a segment or class: text as it is, a boolean as a word, and
// a number in the fewest digits that tell it from others.
func (a *arrowPredictions) textOf(v *arrowVector, i int) ([]byte, bool) {
	switch {
	case v.isNull(i):
		return nil, false
	case v.kind == arrowBool:
		return v.word(i), true
	case v.kind == arrowUint64:
		a.digits = strconv.AppendUint(a.digits[:0], uint64(v.integer(i)), 10)
	case v.index == nil && v.kind.integer():
		a.digits = strconv.AppendInt(a.digits[:0], v.integer(i), 10)
	case v.index == nil && v.kind.number():
		bits := 64
		if v.kind != arrowFloat64 {
			bits = 32
		}
		a.digits = strconv.AppendFloat(a.digits[:0], v.float(i), 'g', -1, bits)
	default:
		return v.text(i)
	}
	return a.digits, true
}

// byRow appends features and segments row by row: of maps, and of structs that
// are null in some rows.
func (a *arrowPredictions) byRow(b *arrowBatch, from, to int) {
	plan := a.reader.plan
	for i := from; i < to; i++ {
		for _, c := range plan.features {
			if v := &b.vectors[c]; bit(v.parent, i) {
				a.put(v, a.key(c), i)
			}
		}
		for _, c := range plan.segments {
			if v := &b.vectors[c]; bit(v.parent, i) {
				if text, ok := a.textOf(v, i); ok {
					a.slice(a.key(c), text)
				}
			}
		}
		for _, m := range plan.maps {
			v, keys := &b.vectors[m], &b.vectors[plan.columns[m].keys]
			first, last := v.entries(i)
			for k := first; k < last; k++ {
				name, _ := keys.text(k)
				if plan.columns[m].role == roleFeature {
					a.put(v, a.intern(name), k)
				} else if text, ok := a.textOf(v, k); ok {
					a.slice(a.SegmentKeys.ID(name), text)
				}
			}
		}
		a.Numbers.close()
		a.Categories.close()
		a.Nulls.close()
		a.Segments.close()
	}
}

// put appends a feature to the row under way.
func (a *arrowPredictions) put(v *arrowVector, key int32, i int) {
	switch {
	case v.isNull(i):
		a.null(key)
	case v.index == nil && v.kind.number():
		a.number(key, v.float(i))
	default:
		text, _ := a.textOf(v, i)
		a.category(key, text)
	}
}
