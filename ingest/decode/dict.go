package decode

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"math/bits"
)

// Dict interns byte strings into small integers, in the order of their first
// appearance. The zero Dict is empty and ready.
type Dict struct {
	text  Text
	slots []int32 // open addressing: identifier + 1, 0 is free
	seed  maphash.Seed
	ready bool
	// last is the string that again looked up last, lastID its identifier + 1.
	last   []byte
	lastID int32
	near   *[512]nearby
	// longest is the size of the longest string since Reset.
	longest int
}

// nearby remembers the identifier of one string that was looked up lately. The
// ends and the size say all of a string of at most 16 bytes; a longer one is
// compared.
type nearby struct {
	head, tail uint64
	size       int32
	id         int32 // + 1, 0 is none
}

const wholeInEnds = 16

// ends returns the first and the last bytes of b.
func ends(b []byte) (head, tail uint64) {
	switch n := len(b); {
	case n >= 8:
		return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[n-8:])
	case n >= 4:
		return uint64(binary.LittleEndian.Uint32(b)), uint64(binary.LittleEndian.Uint32(b[n-4:]))
	case n > 0:
		return uint64(b[0]) | uint64(b[n/2])<<8 | uint64(b[n-1])<<16, 0
	}
	return 0, 0
}

// ID returns the identifier of b, adding it if it is new. Most strings come
// again soon, and are found without the hash that is safe against producers who
// choose them to collide: here such strings only displace one another.
func (d *Dict) ID(b []byte) int32 {
	if d.near == nil {
		if d.text.Len() > 1 {
			d.near = new([512]nearby)
		}
		return d.lookUp(b)
	}
	head, tail := ends(b)
	e := &d.near[place(head, tail, len(b))]
	if d.holds(e, head, tail, b) {
		return e.id - 1
	}
	id := d.lookUp(b)
	*e = nearby{head: head, tail: tail, size: int32(len(b)), id: id + 1}
	return id
}

// recent returns the identifier of b if b was looked up lately.
func (d *Dict) recent(b []byte) (id int32, ok bool) {
	if d.near == nil {
		return 0, false
	}
	head, tail := ends(b)
	e := &d.near[place(head, tail, len(b))]
	return e.id - 1, d.holds(e, head, tail, b)
}

func place(head, tail uint64, size int) uint64 {
	return (head ^ bits.RotateLeft64(tail, 32) ^ uint64(size)) * 0x9e3779b97f4a7c15 >> (64 - 9)
}

func (d *Dict) holds(e *nearby, head, tail uint64, b []byte) bool {
	return e.head == head && e.tail == tail && int(e.size) == len(b) && e.id > 0 &&
		(len(b) <= wholeInEnds || bytes.Equal(d.text.At(int(e.id-1)), b))
}

// again is ID for columns in which a string mostly follows itself.
func (d *Dict) again(b []byte) int32 {
	if bytes.Equal(d.last, b) && d.lastID > 0 {
		return d.lastID - 1
	}
	id := d.ID(b)
	d.last, d.lastID = d.text.At(int(id)), id+1
	return id
}

// forget drops what was remembered of lookups, because identifiers are taken
// back.
func (d *Dict) forget() {
	d.last, d.lastID = nil, 0
	if d.near != nil {
		clear(d.near[:])
	}
}

// lookUp is ID by the hash.
func (d *Dict) lookUp(b []byte) int32 {
	if len(d.slots) < 2*(d.text.Len()+1) {
		d.grow()
	}
	slot, id := d.find(b)
	if id >= 0 {
		return id
	}
	id = int32(d.text.Len())
	d.text.Append(b)
	d.longest = max(d.longest, len(b))
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
	d.longest = 0
	d.forget()
}

// Truncate forgets the identifiers from n on. The youngest go first, so no
// probe sequence of an older one runs through a slot that is freed.
func (d *Dict) Truncate(n int) {
	if n >= d.text.Len() {
		return
	}
	for id := d.text.Len() - 1; id >= n; id-- {
		slot, _ := d.find(d.text.At(id))
		d.slots[slot] = 0
	}
	d.text.Truncate(n)
	d.forget()
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
