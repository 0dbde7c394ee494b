package decode

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// arrowVector is one column of one batch, verified: any row below rows can be
// read. Bytes are views of the record or of arrowMemory.
type arrowVector struct {
	kind arrowKind // of what lies in data; of a dictionary, its index
	rows int
	// valid is a bitmap of the rows that are not null, parent of those whose
	// struct or map is not null; nil if all are.
	valid, parent []byte
	data, offsets []byte
	views         [][]byte
	// lists are the offsets of a map's rows, whose entries the vector holds.
	lists []byte
	// index is the place in dict of each row, -1 if it is null; absent says
	// whether any is.
	index  []int32
	absent bool
	dict   *arrowValues
	// size is what the texts of all rows have in bytes; with a dictionary, at
	// most.
	size int
}

func bit(bitmap []byte, i int) bool { return bitmap == nil || bitmap[i>>3]&(1<<(i&7)) != 0 }

// isNull reports whether a row has no value.
func (v *arrowVector) isNull(i int) bool {
	if v.index != nil {
		return v.index[i] < 0
	}
	return v.kind == arrowNull || !bit(v.valid, i)
}

// nulls reports whether any row may be null.
func (v *arrowVector) nulls() bool {
	return v.valid != nil || v.kind == arrowNull || v.absent
}

// text returns a row of text; false if it is null.
func (v *arrowVector) text(i int) ([]byte, bool) {
	if v.index != nil {
		if v.index[i] < 0 {
			return nil, false
		}
		return v.dict.texts[v.index[i]], true
	}
	if v.isNull(i) {
		return nil, false
	}
	switch v.kind {
	case arrowText:
		from, to := binary.LittleEndian.Uint32(v.offsets[4*i:]), binary.LittleEndian.Uint32(v.offsets[4*i+4:])
		return v.data[from:to:to], true
	case arrowLargeText:
		from, to := binary.LittleEndian.Uint64(v.offsets[8*i:]), binary.LittleEndian.Uint64(v.offsets[8*i+8:])
		return v.data[from:to:to], true
	}
	view := v.data[16*i : 16*i+16]
	n := binary.LittleEndian.Uint32(view)
	if n <= 12 {
		return view[4 : 4+n], true
	}
	from := binary.LittleEndian.Uint32(view[12:])
	return v.views[binary.LittleEndian.Uint32(view[8:])][from : from+n], true
}

// bool returns a row that is not null.
func (v *arrowVector) bool(i int) bool { return v.data[i>>3]&(1<<(i&7)) != 0 }

// integer returns a row of an integer kind or of arrowTime; an unsigned one of
// 64 bits as its bits.
func (v *arrowVector) integer(i int) int64 {
	switch v.kind {
	case arrowInt8:
		return int64(int8(v.data[i]))
	case arrowUint8:
		return int64(v.data[i])
	case arrowInt16:
		return int64(int16(binary.LittleEndian.Uint16(v.data[2*i:])))
	case arrowUint16:
		return int64(binary.LittleEndian.Uint16(v.data[2*i:]))
	case arrowInt32:
		return int64(int32(binary.LittleEndian.Uint32(v.data[4*i:])))
	case arrowUint32:
		return int64(binary.LittleEndian.Uint32(v.data[4*i:]))
	}
	return int64(binary.LittleEndian.Uint64(v.data[8*i:]))
}

// float returns a row of numbers that is not null, rounded to the nearest
// float64.
func (v *arrowVector) float(i int) float64 {
	switch v.kind {
	case arrowFloat64:
		return math.Float64frombits(binary.LittleEndian.Uint64(v.data[8*i:]))
	case arrowFloat32:
		return float64(math.Float32frombits(binary.LittleEndian.Uint32(v.data[4*i:])))
	case arrowFloat16:
		return half(binary.LittleEndian.Uint16(v.data[2*i:]))
	case arrowUint64:
		return float64(uint64(v.integer(i)))
	}
	return float64(v.integer(i))
}

// half is the value of a float of 16 bits, which IEEE 754 calls binary16.
func half(h uint16) float64 {
	exponent, fraction := int(h>>10&31), float64(h&1023)
	v := math.Ldexp(fraction+1024, exponent-25)
	switch {
	case exponent == 0:
		v = math.Ldexp(fraction, -24)
	case exponent == 31 && fraction == 0:
		v = math.Inf(1)
	case exponent == 31:
		v = math.NaN()
	}
	if h>>15 != 0 {
		v = -v
	}
	return v
}

// entries returns the range of a row's entries in a map.
func (v *arrowVector) entries(row int) (from, to int) {
	if !bit(v.parent, row) {
		return 0, 0
	}
	return int(binary.LittleEndian.Uint32(v.lists[4*row:])), int(binary.LittleEndian.Uint32(v.lists[4*row+4:]))
}

// load reads a column of a batch, with its children, or passes over it.
func (r *arrowReader) load(b *arrowBatch, f *arrowField, rows int, parent []byte) *Error {
	switch {
	case !f.read:
		return r.pass(f)
	case f.column >= 0:
		v := &b.vectors[f.column]
		if err := r.leaf(v, f, rows); err != nil {
			return err.at(short(r.plan.columns[f.column].field()))
		}
		v.parent = parent
		r.text += v.size
		return nil
	case f.kind == arrowMap:
		return r.loadMap(b, f, rows)
	}
	valid, err := r.group(rows)
	if err != nil {
		return err
	}
	for i := range f.children {
		if err := r.load(b, &f.children[i], rows, valid); err != nil {
			return err
		}
	}
	return nil
}

// group reads the node and the bitmap of a column.
func (r *arrowReader) group(rows int) (valid []byte, err *Error) {
	n, nulls, err := r.body.node()
	if err != nil {
		return nil, err
	}
	if n != rows {
		return nil, bad(Unparsable, "the columns of an Arrow batch differ in length")
	}
	return r.validity(rows, nulls)
}

// pass passes over a column.
func (r *arrowReader) pass(f *arrowField) *Error {
	if _, _, err := r.body.node(); err != nil {
		return err
	}
	n := f.buffers
	if f.views {
		views, err := r.body.viewBuffers()
		if err != nil {
			return err
		}
		n += views
	}
	if err := r.body.skip(n); err != nil {
		return err
	}
	if f.dictionary >= 0 {
		return nil
	}
	for i := range f.children {
		if err := r.pass(&f.children[i]); err != nil {
			return err
		}
	}
	return nil
}

func (r *arrowReader) loadMap(b *arrowBatch, f *arrowField, rows int) *Error {
	parent, err := r.group(rows)
	if err != nil {
		return err
	}
	lists, err := r.buffer()
	if err != nil {
		return err
	}
	entries := &f.children[0]
	n, nulls, err := r.body.node()
	if err != nil {
		return err
	}
	if nulls > 0 {
		return bad(Unparsable, damagedBatch)
	}
	if _, err := r.validity(n, 0); err != nil {
		return err
	}
	if lists, err = offsets32(lists, rows, n); err != nil {
		return err
	}
	if err := r.spend(n, 1); err != nil {
		return err
	}
	for i := range entries.children {
		child := &entries.children[i]
		if err := r.load(b, child, n, nil); err != nil {
			return err
		}
		b.vectors[child.column].lists, b.vectors[child.column].parent = lists, parent
	}
	return nil
}

// validity reads a bitmap; nil if no row is null.
func (r *arrowReader) validity(rows, nulls int) ([]byte, *Error) {
	b, err := r.buffer()
	if err != nil {
		return nil, err
	}
	if len(b) == 0 && (nulls == 0 || rows == 0) {
		return nil, nil
	}
	if len(b) < (rows+7)/8 {
		return nil, bad(Unparsable, damagedBatch)
	}
	if ones(b, rows) != rows-nulls {
		return nil, bad(Unparsable, "an Arrow column has another number of nulls than it says")
	}
	if nulls == 0 {
		return nil, nil
	}
	return b[:(rows+7)/8], nil
}

// ones counts the first bits of a bitmap that are set.
func ones(b []byte, rows int) int {
	n, i := 0, 0
	for ; i+64 <= rows; i += 64 {
		n += bits.OnesCount64(binary.LittleEndian.Uint64(b[i>>3:]))
	}
	for ; i < rows; i++ {
		n += int(b[i>>3] >> (i & 7) & 1)
	}
	return n
}

// leaf reads a column without children.
func (r *arrowReader) leaf(v *arrowVector, f *arrowField, rows int) *Error {
	*v = arrowVector{kind: f.kind, rows: rows, views: v.views[:0]}
	if f.kind == arrowNull {
		n, _, err := r.body.node()
		if err == nil && n != rows {
			err = bad(Unparsable, damagedBatch)
		}
		return err
	}
	var err *Error
	if v.valid, err = r.group(rows); err != nil {
		return err
	}
	if f.buffers == 3 {
		if v.offsets, err = r.buffer(); err != nil {
			return err
		}
	}
	if v.data, err = r.buffer(); err != nil {
		return err
	}
	if v.data == nil {
		v.data = wordNone // so that an empty text is none that is missing
	}
	switch {
	case f.dictionary >= 0:
		err = r.fixed(v)
		if err == nil {
			err = r.indices(v, r.values[f.dictionary])
		}
	case f.kind == arrowText:
		if v.offsets, err = offsets32(v.offsets, rows, len(v.data)); err == nil && rows > 0 {
			v.size = int(binary.LittleEndian.Uint32(v.offsets[4*rows:]) - binary.LittleEndian.Uint32(v.offsets))
		}
	case f.kind == arrowLargeText:
		if err = v.offsets64(); err == nil && rows > 0 {
			v.size = int(binary.LittleEndian.Uint64(v.offsets[8*rows:]) - binary.LittleEndian.Uint64(v.offsets))
		}
	case f.kind == arrowTextView:
		err = r.viewed(v)
	default:
		err = r.fixed(v)
	}
	return err
}

// fixed checks that values of a fixed width stand in data.
func (r *arrowReader) fixed(v *arrowVector) *Error {
	need := v.rows * v.kind.width()
	if v.kind == arrowBool {
		need = (v.rows + 7) / 8
	}
	if len(v.data) < need {
		return bad(Unparsable, damagedBatch)
	}
	v.data = v.data[:need]
	return nil
}

// offsets32 checks that offsets ascend and end within size, and cuts them to
// their number. No rows may have no offsets.
func offsets32(b []byte, rows, size int) ([]byte, *Error) {
	if rows == 0 {
		return nil, nil
	}
	if len(b)/4 < rows+1 {
		return nil, bad(Unparsable, damagedBatch)
	}
	b = b[:4*(rows+1)]
	last, descends := uint32(0), uint32(0)
	for at := b; len(at) >= 4; at = at[4:] {
		next := binary.LittleEndian.Uint32(at)
		descends |= (next - last) | next // a negative difference sets the highest bit
		last = next
	}
	if descends>>31 != 0 || int(last) > size {
		return nil, bad(Unparsable, damagedBatch)
	}
	return b, nil
}

func (v *arrowVector) offsets64() *Error {
	if v.rows == 0 {
		return nil
	}
	if len(v.offsets)/8 < v.rows+1 {
		return bad(Unparsable, damagedBatch)
	}
	last := uint64(0)
	for i := range v.rows + 1 {
		next := binary.LittleEndian.Uint64(v.offsets[8*i:])
		if next < last || next > uint64(len(v.data)) {
			return bad(Unparsable, damagedBatch)
		}
		last = next
	}
	return nil
}
