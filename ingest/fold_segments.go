package ingest

import (
	"maps"
	"slices"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/segment"
)

// slicer finds the declared segments that rows are counted in beside the whole.
// Segments are numbered over all models, from 1 on; 0 is the whole. Only rows of
// models that declare some are looked at.
type slicer struct {
	models map[plumbline.Model]*slicing
	names  [][]byte // by segment
	keys   []sliceKey

	// What has been looked up in this batch: the key of (model, name), the
	// position of (key, value) among the key's values.
	byModel []*slicing // by model identifier
	named   answers
	placed  answers
	sliced  bool // some model of the batch declares segments

	minutes  pairs // (minute of the whole, segment)
	minuteOf []int32
	rows     []int32 // by row of a segment, what follows the batch's own in fold.minuteOf
	inHour   grouping
	hourOf   []int32
}

// slicing is what one model declares.
type slicing struct {
	keys     map[string]int32 // into slicer.keys
	slices   []slice
	position []int32 // by key, from first: that of the row under way, -1 without
	first    int32
}

// slice is one declaration: the cells of all combinations of its keys' values.
type slice struct {
	base    int32   // the segment of the first combination
	keys    []int32 // from slicing.first
	strides []int32
}

// sliceKey is one key with the positions of its values; the one after them is
// that of all others.
type sliceKey struct {
	values map[string]int32
	other  int32
}

// answers remembers what was looked up by a pair in this batch.
type answers struct {
	pairs
	to []int32
}

func (a *answers) reset() {
	a.pairs.reset()
	a.to = a.to[:0]
}

func newSlicer(declared segment.Declared) *slicer {
	s := &slicer{models: map[plumbline.Model]*slicing{}, names: [][]byte{[]byte(plumbline.SegmentAll)}}
	for _, model := range slices.Sorted(maps.Keys(declared)) {
		if slicings := declared[model].Slicings(); len(slicings) > 0 {
			s.models[model] = s.declare(slicings)
		}
	}
	return s
}

func (s *slicer) declare(slicings [][]segment.Part) *slicing {
	m := &slicing{keys: map[string]int32{}, first: int32(len(s.keys))}
	for _, parts := range slicings {
		d := slice{base: int32(len(s.names))}
		for _, part := range parts {
			if _, ok := m.keys[part.Name]; !ok {
				m.keys[part.Name] = int32(len(s.keys))
				s.keys = append(s.keys, newSliceKey(part.Values))
				m.position = append(m.position, -1)
			}
			d.keys = append(d.keys, m.keys[part.Name]-m.first)
		}
		d.strides = make([]int32, len(parts))
		stride := int32(1)
		for i := len(parts) - 1; i >= 0; i-- {
			d.strides[i] = stride
			stride *= int32(len(parts[i].Values)) + 1
		}
		s.combine(parts, nil)
		m.slices = append(m.slices, d)
	}
	return m
}

// combine names the combinations of values in the order of their numbers: the
// last key's values change first.
func (s *slicer) combine(parts []segment.Part, chosen []string) {
	if len(parts) == 0 {
		s.names = append(s.names, []byte(strings.Join(chosen, ",")))
		return
	}
	for _, value := range append(slices.Clip(parts[0].Values), segment.Other) {
		s.combine(parts[1:], append(slices.Clip(chosen), parts[0].Name+"="+value))
	}
}

func newSliceKey(values []string) sliceKey {
	k := sliceKey{values: make(map[string]int32, len(values)), other: int32(len(values))}
	for i, v := range values {
		k.values[v] = int32(i)
	}
	return k
}

// reset begins a batch.
func (s *slicer) reset(f *fold) {
	s.byModel, s.rows, s.hourOf, s.sliced = s.byModel[:0], s.rows[:0], s.hourOf[:0], false
	if len(s.models) == 0 {
		return
	}
	for id := range f.in.Model.Dict.Len() {
		m := s.models[plumbline.Model(f.in.Model.Dict.Value(int32(id)))]
		s.byModel = append(s.byModel, m)
		s.sliced = s.sliced || m != nil
	}
	s.named.reset()
	s.placed.reset()
	s.minutes.reset()
	s.minuteOf = s.minuteOf[:0]
}

// slice puts the rows into the minutes of their segments, behind the batch's
// own: a row that lies in two segments is a member of three minutes.
func (f *fold) slice() {
	s := f.slicer
	for row := range f.in.Len() {
		if m := s.byModel[f.in.Model.IDs[row]]; m != nil {
			s.locate(f, m, row)
			f.sliceRow(m, row)
		}
	}
	for _, minute := range f.minuteOf[f.in.Len():] {
		s.hourOf = append(s.hourOf, f.hourOf[minute])
	}
}

// locate finds the position of a row's values among those that are declared.
func (s *slicer) locate(f *fold, m *slicing, row int) {
	for i := range m.position {
		m.position[i] = -1
	}
	in := f.in
	from, to := in.Segments.Row(row)
	for i := from; i < to; i++ {
		name, isNew := s.named.id(in.Model.IDs[row], uint32(in.Segments.Keys[i]))
		if isNew {
			key, ok := m.keys[string(in.SegmentKeys.Value(in.Segments.Keys[i]))]
			if !ok {
				key = -1
			}
			s.named.to = append(s.named.to, key)
		}
		key := s.named.to[name]
		if key < 0 {
			continue
		}
		value, isNew := s.placed.id(key, uint32(in.SegmentValues[i]))
		if isNew {
			at, ok := s.keys[key].values[string(in.SegmentTexts.Value(in.SegmentValues[i]))]
			if !ok {
				at = s.keys[key].other
			}
			s.placed.to = append(s.placed.to, at)
		}
		m.position[key-m.first] = s.placed.to[value]
	}
}

// sliceRow puts a row into the minute of every segment whose keys it carries.
func (f *fold) sliceRow(m *slicing, row int) {
	s := f.slicer
declarations:
	for i := range m.slices {
		d := &m.slices[i]
		at := d.base
		for k, key := range d.keys {
			position := m.position[key]
			if position < 0 {
				continue declarations
			}
			at += position * d.strides[k]
		}
		minute := f.sliceMinute(f.minuteOf[row], at)
		f.hours.rows[f.hourOf[minute]]++
		f.minutes.rows[minute]++
		f.minuteOf = append(f.minuteOf, minute)
		s.rows = append(s.rows, int32(row))
	}
}

// sliceMinute returns the minute of a segment beside that of the whole.
func (f *fold) sliceMinute(whole, segment int32) int32 {
	id, isNew := f.slicer.minutes.id(whole, uint32(segment))
	if isNew {
		owner, at := f.minutes.times.at(whole)
		deploy, place := f.owners.at(owner)
		owner, _ = f.owners.id(deploy, placeOf(int32(place), segment))
		f.slicer.minuteOf = append(f.slicer.minuteOf, f.minuteID(owner, int64(int32(at))))
	}
	return f.slicer.minuteOf[id]
}

// categories counts the rows of the segments, an hour after the other and in
// the order of the batch.
func (s *slicer) categories(f *fold) {
	s.inHour.build(s.hourOf, f.hours.times.len())
	for hour := range int32(f.hours.times.len()) {
		for _, i := range s.inHour.of(hour) {
			f.rowCategories(int(s.rows[i]), hour)
		}
	}
}

// stageBits are those of a place that hold the stage's identifier. There are
// four stages, and decoders let no other through.
const stageBits = 8

// placeOf is a stage and a segment in one: owners are pairs.
func placeOf(stage, segment int32) uint32 { return uint32(stage) | uint32(segment)<<stageBits }

func placeAt(place uint32) (stage, segment int32) {
	return int32(place & (1<<stageBits - 1)), int32(place >> stageBits)
}
