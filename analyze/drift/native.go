package drift

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// native reads ClickHouse's format Native: blocks of some rows, column by column,
// little-endian, as the engine writes them, and as a server does that was told a
// version of the protocol, which puts what a block is before it and how a column
// is written before each. The numbers of an array column lie one
// after another, so the engine writes them, and they are read here, a block at a
// time; the formats by row spell every number by itself, which for a day of
// histograms costs more than all the rest.
type native struct {
	in  *bufio.Reader
	buf []byte
	err error
	// rows and left are the rows of the block and its columns not yet read.
	rows, left int
	// told says that the block is of a server that was told a version.
	told bool
}

const (
	// readAhead is how many bytes are read at once.
	readAhead = 256 << 10
	// maxLength is the greatest length of anything that is believed.
	maxLength = 1 << 27
)

func newNative(in io.Reader) *native {
	return &native{in: bufio.NewReaderSize(in, readAhead)}
}

// next moves on to the next block that has rows, which must have so many
// columns, and reports whether there is one.
func (r *native) next(columns int) bool {
	if r.err == nil && r.left > 0 {
		r.err = fmt.Errorf("%d columns of a block were not read", r.left)
	}
	for r.err == nil {
		if _, err := r.in.Peek(1); err != nil {
			if !errors.Is(err, io.EOF) {
				r.err = err
			}
			return false
		}
		r.about(columns)
		r.left, r.rows = r.length(), r.length()
		if r.err == nil && r.left != columns && r.rows > 0 {
			r.err = fmt.Errorf("a block of %d columns, want %d", r.left, columns)
		}
		if r.err == nil && r.rows > 0 {
			return true
		}
		for r.err == nil && r.left > 0 { // of a header, which has no rows
			r.left--
			r.string()
			r.string()
			r.written()
		}
	}
	return false
}

// about passes over what is said about a block: numbered fields until a 0. Where
// nothing is said the block begins with its number of columns; the first field is
// 1, and no block that is read here has one column.
func (r *native) about(columns int) {
	first, err := r.in.Peek(1)
	if r.told = err == nil && first[0] == 1 && columns != 1; !r.told {
		return
	}
	for r.err == nil {
		switch field := r.length(); {
		case r.err != nil || field == 0:
			return
		case field == 1: // whether it holds what is beyond max_rows_to_group_by
			r.bytes(1)
		case field == 2: // the bucket of a distributed aggregation
			r.bytes(4)
		default:
			r.err = fmt.Errorf("field %d about a block, want 1 or 2", field)
		}
	}
}

// written checks that a column is written plainly, and not sparse.
func (r *native) written() {
	if !r.told {
		return
	}
	if how := r.bytes(1); r.err == nil && how[0] != 0 {
		r.err = errors.New("a column that is not written plainly")
	}
}

// column begins the next column, which must be of the type.
func (r *native) column(kind string) {
	r.left--
	name, found := r.string(), r.string()
	r.written()
	if r.err == nil && found != kind {
		r.err = fmt.Errorf("column %q is %s, want %s", name, found, kind)
	}
}

// bytes returns the next n bytes, valid until the next call.
func (r *native) bytes(n int) []byte {
	r.buf = r.buf[:0]
	for len(r.buf) < n && r.err == nil {
		// A length that is a lie costs no more memory than what came.
		more := min(n-len(r.buf), 1<<20)
		r.buf = slices.Grow(r.buf, more)
		part := r.buf[len(r.buf) : len(r.buf)+more]
		if _, err := io.ReadFull(r.in, part); err != nil {
			r.fail(err)
			break
		}
		r.buf = r.buf[:len(r.buf)+more]
	}
	if r.err != nil {
		return nil
	}
	return r.buf
}

// fail keeps the first error; an end within a block is one.
func (r *native) fail(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.err = err
}

// length returns the length that follows.
func (r *native) length() int {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		r.fail(err)
		return 0
	}
	return r.believed(n)
}

func (r *native) believed(n uint64) int {
	if n > maxLength {
		r.err = fmt.Errorf("a length of %d", n)
		return 0
	}
	return int(n)
}

func (r *native) string() string { return string(r.bytes(r.length())) }

// strings reads a column String.
func (r *native) strings(to []string) []string {
	r.column("String")
	to = to[:0]
	for range r.rows {
		if r.err != nil {
			break
		}
		to = append(to, r.string())
	}
	return to
}

// counts reads a column of sums of UInt64.
func (r *native) counts(to []uint64) []uint64 {
	r.column("SimpleAggregateFunction(sum, UInt64)")
	return append64(to[:0], r.bytes(8*r.rows))
}

// words reads a column UInt64.
func (r *native) words(to []uint64) []uint64 {
	r.column("UInt64")
	return append64(to[:0], r.bytes(8*r.rows))
}

// ends reads where the array of each row of the column ends, and returns the
// length of all of them.
func (r *native) ends(to []uint64) ([]uint64, int) {
	to = append64(to[:0], r.bytes(8*r.rows))
	last := uint64(0)
	for _, end := range to {
		if end < last {
			r.err = fmt.Errorf("an array that ends at %d after %d", end, last)
			return nil, 0
		}
		last = end
	}
	return to, r.believed(last)
}

// arrays reads a column of the type Array(of), whose numbers have size bytes
// each, 2 or 4, as T has: the arrays of all rows one after another, and where each ends.
func arrays[T int32 | uint16 | uint32](r *native, of string, size int, to []T, ends []uint64) ([]T, []uint64) {
	r.column("Array(" + of + ")")
	ends, n := r.ends(ends)
	b := r.bytes(size * n)
	to = slices.Grow(to[:0], len(b)/size)[:len(b)/size]
	if size == 2 { // outside of the loop, which is most of the work
		for i := range to {
			to[i] = T(binary.LittleEndian.Uint16(b[2*i:]))
		}
		return to, ends
	}
	for i := range to {
		to[i] = T(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return to, ends
}

func (r *native) int32s(to []int32, ends []uint64) ([]int32, []uint64) {
	return arrays(r, "Int32", 4, to, ends)
}

func (r *native) uint16s(to []uint16, ends []uint64) ([]uint16, []uint64) {
	return arrays(r, "UInt16", 2, to, ends)
}

func (r *native) uint32s(to []uint32, ends []uint64) ([]uint32, []uint64) {
	return arrays(r, "UInt32", 4, to, ends)
}

func (r *native) uint64s(to, ends []uint64) ([]uint64, []uint64) {
	r.column("Array(UInt64)")
	ends, n := r.ends(ends)
	return append64(to[:0], r.bytes(8*n)), ends
}

func append64(to []uint64, b []byte) []uint64 {
	to = slices.Grow(to, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		to = append(to, binary.LittleEndian.Uint64(b))
	}
	return to
}
