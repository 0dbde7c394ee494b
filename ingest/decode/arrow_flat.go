package decode

import "encoding/binary"

// flat reads a FlatBuffer of unknown origin, which the metadata of Arrow is
// written in. Every access is checked against the buffer, and the first that
// lies outside of it breaks the whole: from then on everything reads as 0 or
// absent, and the caller asks broken at the end. It allocates nothing, so no
// length that a producer claims becomes memory.
type flat struct {
	b      []byte
	broken bool
}

// holds reports whether n bytes stand at a position; if not, the buffer is broken.
func (f *flat) holds(at, n int) bool {
	if at < 0 || n < 0 || n > len(f.b) || at > len(f.b)-n {
		f.broken = true
	}
	return !f.broken
}

func (f *flat) u16(at int) int {
	if !f.holds(at, 2) {
		return 0
	}
	return int(binary.LittleEndian.Uint16(f.b[at:]))
}

func (f *flat) u32(at int) int {
	if !f.holds(at, 4) {
		return 0
	}
	return int(binary.LittleEndian.Uint32(f.b[at:]))
}

func (f *flat) i64(at int) int64 {
	if !f.holds(at, 8) {
		return 0
	}
	return int64(binary.LittleEndian.Uint64(f.b[at:]))
}

// root returns the table that the buffer holds.
func (f *flat) root() flatTable { return f.table(f.u32(0)) }

// flatTable is one table: where it begins, and where its vtable does, which says
// at what distance each field stands. The zero flatTable has no fields.
type flatTable struct {
	f                *flat
	at, size         int
	vtable, vtabSize int
}

func (f *flat) table(at int) flatTable {
	back := int(int32(f.u32(at)))
	t := flatTable{f: f, at: at, vtable: at - back}
	t.vtabSize, t.size = f.u16(t.vtable), f.u16(t.vtable+2)
	if t.vtabSize < 4 || t.size < 4 {
		f.broken = true
	}
	if f.broken || !f.holds(t.vtable, t.vtabSize) || !f.holds(at, t.size) {
		return flatTable{f: f}
	}
	return t
}

// slot returns where a field of some bytes stands, 0 if it is absent.
func (t flatTable) slot(field, width int) int {
	entry := 4 + 2*field
	if t.f.broken || entry+2 > t.vtabSize {
		return 0
	}
	distance := t.f.u16(t.vtable + entry)
	if distance == 0 {
		return 0
	}
	if distance+width > t.size {
		t.f.broken = true
		return 0
	}
	return t.at + distance
}

// number returns an integer field of 1, 2, 4 or 8 bytes; an absent one is 0, as
// in all of Arrow's tables.
func (t flatTable) number(field, width int) int64 {
	at := t.slot(field, width)
	if at == 0 {
		return 0
	}
	switch width {
	case 1:
		return int64(int8(t.f.b[at]))
	case 2:
		return int64(int16(t.f.u16(at)))
	case 4:
		return int64(int32(t.f.u32(at)))
	}
	return t.f.i64(at)
}

func (t flatTable) flag(field int) bool { return t.number(field, 1) != 0 }

// table returns a field that is a table.
func (t flatTable) table(field int) (flatTable, bool) {
	at := t.slot(field, 4)
	if at == 0 {
		return flatTable{f: t.f}, false
	}
	return t.f.table(at + t.f.u32(at)), !t.f.broken
}

// vector returns where the elements of a vector begin and their number.
func (t flatTable) vector(field, width int) (at, n int) {
	slot := t.slot(field, 4)
	if slot == 0 {
		return 0, 0
	}
	at = slot + t.f.u32(slot)
	n = t.f.u32(at)
	if !t.f.holds(at+4, n*width) {
		return 0, 0
	}
	return at + 4, n
}

// element returns an element of a vector of tables.
func (f *flat) element(vector, i int) flatTable {
	at := vector + 4*i
	return f.table(at + f.u32(at))
}

func (t flatTable) text(field int) []byte {
	at, n := t.vector(field, 1)
	return t.f.b[at : at+n]
}
