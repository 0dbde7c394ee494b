package drift

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

// binaryRows reads ClickHouse's format RowBinary: values one after another,
// little-endian, strings and arrays after their length. clickhouse-go reads
// arrays element by element with reflection, which for a day of histograms costs
// more than all the rest.
type binaryRows struct {
	in  *bufio.Reader
	buf []byte
	err error
}

// readAhead is how many bytes are read at once.
const readAhead = 256 << 10

// maxLength is the greatest length of a string or array that is believed.
const maxLength = 1 << 24

func newBinaryRows(in io.Reader) *binaryRows {
	return &binaryRows{in: bufio.NewReaderSize(in, readAhead)}
}

// next reports whether there is another row.
func (r *binaryRows) next() bool {
	if r.err != nil {
		return false
	}
	_, err := r.in.Peek(1)
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
	}
	return err == nil
}

// bytes returns the next n bytes, valid until the next call.
func (r *binaryRows) bytes(n int) []byte {
	r.buf = slices.Grow(r.buf[:0], n)[:n]
	if r.err == nil {
		if _, err := io.ReadFull(r.in, r.buf); err != nil {
			r.fail(err)
		}
	}
	if r.err != nil {
		clear(r.buf)
	}
	return r.buf
}

// fail keeps the first error; an end within a row is one.
func (r *binaryRows) fail(err error) {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	r.err = err
}

// length returns the length of the string or array that follows.
func (r *binaryRows) length() int {
	if r.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(r.in)
	if err != nil {
		r.fail(err)
		return 0
	}
	if n > maxLength {
		r.err = fmt.Errorf("a length of %d", n)
		return 0
	}
	return int(n)
}

func (r *binaryRows) string() string { return string(r.bytes(r.length())) }

func (r *binaryRows) uint64() uint64 { return binary.LittleEndian.Uint64(r.bytes(8)) }

// int32s appends an array to the slice.
func (r *binaryRows) int32s(to []int32) []int32 {
	b := r.bytes(4 * r.length())
	to = slices.Grow(to, len(b)/4)
	for ; len(b) >= 4; b = b[4:] {
		to = append(to, int32(binary.LittleEndian.Uint32(b)))
	}
	return to
}

// uint64s appends an array to the slice.
func (r *binaryRows) uint64s(to []uint64) []uint64 {
	b := r.bytes(8 * r.length())
	to = slices.Grow(to, len(b)/8)
	for ; len(b) >= 8; b = b[8:] {
		to = append(to, binary.LittleEndian.Uint64(b))
	}
	return to
}
