package decode

import (
	"bytes"
	"hash/maphash"
)

// Dict interns byte strings into small integers, in the order of their first
// appearance. The zero Dict is empty and ready.
type Dict struct {
	text  Text
	slots []int32 // open addressing: identifier + 1, 0 is free
	seed  maphash.Seed
	ready bool
}

// ID returns the identifier of b, adding it if it is new.
func (d *Dict) ID(b []byte) int32 {
	if len(d.slots) < 2*(d.text.Len()+1) {
		d.grow()
	}
	slot, id := d.find(b)
	if id >= 0 {
		return id
	}
	id = int32(d.text.Len())
	d.text.Append(b)
	d.slots[slot] = id + 1
	return id
}

// Is reports whether id stands for b, without hashing.
func (d *Dict) Is(id int32, b []byte) bool {
	return int(id) < d.text.Len() && bytes.Equal(d.text.At(int(id)), b)
}

// Value returns the string of an identifier; it is valid until Reset.
func (d *Dict) Value(id int32) []byte { return d.text.At(int(id)) }

// Len returns the number of distinct strings.
func (d *Dict) Len() int { return d.text.Len() }

// Text returns the strings in the order of their identifiers.
func (d *Dict) Text() *Text { return &d.text }

// Reset forgets everything and keeps the memory.
func (d *Dict) Reset() {
	clear(d.slots)
	d.text.Truncate(0)
}

// Truncate forgets the identifiers from n on. The youngest go first, so no
// probe sequence of an older one runs through a slot that is freed.
func (d *Dict) Truncate(n int) {
	for id := d.text.Len() - 1; id >= n; id-- {
		slot, _ := d.find(d.text.At(id))
		d.slots[slot] = 0
	}
	d.text.Truncate(n)
}

// find returns the slot of b and its identifier, or the free slot and -1.
func (d *Dict) find(b []byte) (slot uint64, id int32) {
	mask := uint64(len(d.slots) - 1)
	slot = maphash.Bytes(d.seed, b) & mask
	for {
		id := d.slots[slot] - 1
		if id < 0 || bytes.Equal(d.text.At(int(id)), b) {
			return slot, id
		}
		slot = (slot + 1) & mask
	}
}

func (d *Dict) grow() {
	if !d.ready {
		d.seed, d.ready = maphash.MakeSeed(), true
	}
	d.slots = make([]int32, max(16, 2*len(d.slots)))
	for id := range d.text.Len() {
		slot, _ := d.find(d.text.At(id))
		d.slots[slot] = int32(id) + 1
	}
}

// Text is a column of strings: one arena of bytes and the offsets into it, the
// layout of an Arrow utf8 column. The zero Text is empty and ready.
type Text struct {
	Bytes   []byte
	Offsets []int32 // one more than there are strings, or none
}

// Append adds a string.
func (t *Text) Append(b []byte) {
	if len(t.Offsets) == 0 {
		t.Offsets = append(t.Offsets, 0)
	}
	t.Bytes = append(t.Bytes, b...)
	t.Offsets = append(t.Offsets, int32(len(t.Bytes)))
}

// At returns the i-th string; it is valid until Truncate.
func (t *Text) At(i int) []byte {
	return t.Bytes[t.Offsets[i]:t.Offsets[i+1]:t.Offsets[i+1]]
}

// Len returns the number of strings.
func (t *Text) Len() int { return max(0, len(t.Offsets)-1) }

// Truncate keeps the first n strings.
func (t *Text) Truncate(n int) {
	if n >= t.Len() {
		return
	}
	t.Offsets = t.Offsets[:n+1]
	t.Bytes = t.Bytes[:t.Offsets[n]]
}
