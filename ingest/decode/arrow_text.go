package decode

import (
	"encoding/binary"
	"fmt"
)

// tooMuchText refuses a record whose texts would take too much memory once each
// row has its own.
func tooMuchText(most int) *Error {
	return bad(TooLarge, fmt.Sprintf("the texts of all its rows have more than %d bytes; send fewer rows a record, or raise max_event_bytes", most))
}

// weighTexts refuses a record of which the texts of all rows have too many bytes:
// rows share the values of dictionaries, views may share their bytes and columns
// their buffers, but stored each row has its own. Keys of maps are stored once.
// Rows are looked at only where bounds of whole columns do not decide.
func (r *arrowReader) weighTexts() *Error {
	if r.text <= r.mostText {
		return nil
	}
	total := 0
	for i := range r.batches[:r.count] {
		for c := range r.plan.columns {
			if r.plan.columns[c].role == roleKey {
				continue
			}
			if total += r.batches[i].vectors[c].exactSize(); total > r.mostText {
				return tooMuchText(r.mostText).at(short(r.plan.columns[c].field()))
			}
		}
	}
	return nil
}

// exactSize is the size of all rows' texts in bytes.
func (v *arrowVector) exactSize() int {
	if v.index == nil {
		return v.size
	}
	n := 0
	for _, place := range v.index {
		if place >= 0 {
			n += len(v.dict.texts[place])
		}
	}
	return n
}

// viewed reads the further buffers of a column of views and checks that each
// view lies in one.
func (r *arrowReader) viewed(v *arrowVector) *Error {
	n, err := r.body.viewBuffers()
	if err != nil {
		return err
	}
	for range n {
		b, err := r.buffer()
		if err != nil {
			return err
		}
		v.views = append(v.views, b)
	}
	if len(v.data)/16 < v.rows {
		return bad(Unparsable, damagedBatch)
	}
	for i := range v.rows {
		if !bit(v.valid, i) {
			continue
		}
		view := v.data[16*i : 16*i+16]
		size := binary.LittleEndian.Uint32(view)
		// Views may share their bytes, so a small record could stand for any
		// amount of text.
		if v.size += int(size); v.size > r.mostText {
			return tooMuchText(r.mostText)
		}
		if size <= 12 {
			continue
		}
		which, from := binary.LittleEndian.Uint32(view[8:]), binary.LittleEndian.Uint32(view[12:])
		if uint64(which) >= uint64(len(v.views)) || uint64(from)+uint64(size) > uint64(len(v.views[which])) {
			return bad(Unparsable, damagedBatch)
		}
	}
	return nil
}

// indices checks the places of a dictionary's values. A place of a null counts
// as a null.
func (r *arrowReader) indices(v *arrowVector, dict *arrowValues) *Error {
	if dict == nil {
		dict = &arrowValues{}
	}
	v.dict, v.index, v.size = dict, r.memory.takeInts(v.rows), v.rows*dict.longest
	var ok bool
	switch {
	case v.valid != nil || dict.nulls:
		ok = v.sparseIndices()
	case v.kind == arrowInt32 || v.kind == arrowUint32:
		ok = indices32(v.index, v.data, len(dict.texts))
	case v.kind == arrowInt8 || v.kind == arrowUint8:
		// A negative place is one from 128 on, which a signed one cannot reach.
		size := len(dict.texts)
		if v.kind == arrowInt8 {
			size = min(size, 128)
		}
		ok = indices8(v.index, v.data, size)
	default:
		ok = v.sparseIndices()
	}
	if !ok {
		return bad(Unparsable, "an Arrow column points beyond its dictionary")
	}
	return nil
}

func (v *arrowVector) sparseIndices() bool {
	for i := range v.index {
		v.index[i] = -1
		if !bit(v.valid, i) {
			v.absent = true
			continue
		}
		place := uint64(v.integer(i))
		if place >= uint64(len(v.dict.texts)) {
			return false
		}
		if v.dict.texts[place] != nil {
			v.index[i] = int32(place)
		} else {
			v.absent = true
		}
	}
	return true
}

// indices32 and indices8 are sparseIndices where nothing is null.
func indices32(index []int32, data []byte, size int) bool {
	for i := range index {
		place := binary.LittleEndian.Uint32(data[4*i:])
		if place >= uint32(size) {
			return false
		}
		index[i] = int32(place)
	}
	return true
}

func indices8(index []int32, data []byte, size int) bool {
	for i := range index {
		place := int(data[i])
		if place >= size {
			return false
		}
		index[i] = int32(place)
	}
	return true
}
