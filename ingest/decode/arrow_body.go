package decode

import (
	"bytes"
	"encoding/binary"
	"io"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// arrowBody walks over the nodes and buffers of one record batch, in the order
// of the schema.
type arrowBody struct {
	flat           *flat
	bytes          []byte
	nodes, buffers int // where the next stands in flat
	views          int
	nodesLeft      int
	buffersLeft    int
	viewsLeft      int
	codec          int64 // noCodec, lz4Frame or zstdFrame
}

const (
	noCodec   = -1
	lz4Frame  = 0
	zstdFrame = 1
)

const damagedBatch = "a record batch of the Arrow stream is damaged"

// open begins a batch and returns its number of rows.
func (b *arrowBody) open(t flatTable, body []byte) (rows int, err *Error) {
	*b = arrowBody{flat: t.f, bytes: body, codec: noCodec}
	length := t.number(0, 8)
	b.nodes, b.nodesLeft = t.vector(1, 16)
	b.buffers, b.buffersLeft = t.vector(2, 16)
	b.views, b.viewsLeft = t.vector(4, 8)
	if compression, ok := t.table(3); ok {
		b.codec = compression.number(0, 1)
		if b.codec != lz4Frame && b.codec != zstdFrame || compression.number(1, 1) != 0 {
			return 0, bad(Unparsable, "the buffers are compressed in an unknown way; send lz4, zstd or none")
		}
	}
	if t.f.broken || length < 0 || length > maxArrowValues {
		if length > maxArrowValues {
			return 0, bad(TooLarge, "a batch of the Arrow stream has more than 262,144 rows; send smaller ones")
		}
		return 0, bad(Unparsable, brokenMetadata)
	}
	return int(length), nil
}

// done checks that the batch has no more than its schema says.
func (b *arrowBody) done() *Error {
	if b.nodesLeft != 0 || b.buffersLeft != 0 || b.viewsLeft != 0 {
		return bad(Unparsable, damagedBatch)
	}
	return nil
}

// node returns the length and the nulls of the next column.
func (b *arrowBody) node() (rows, nulls int, err *Error) {
	if b.nodesLeft == 0 {
		return 0, 0, bad(Unparsable, damagedBatch)
	}
	n, null := b.flat.i64(b.nodes), b.flat.i64(b.nodes+8)
	b.nodes, b.nodesLeft = b.nodes+16, b.nodesLeft-1
	if n < 0 || n > maxEntries || null < 0 || null > n {
		return 0, 0, bad(Unparsable, damagedBatch)
	}
	return int(n), int(null), nil
}

// maxEntries bounds the length of any column, also of those inside of lists.
const maxEntries = 1 << 31

// skip passes over buffers that are not read.
func (b *arrowBody) skip(n int) *Error {
	if n > b.buffersLeft {
		return bad(Unparsable, damagedBatch)
	}
	b.buffers, b.buffersLeft = b.buffers+16*n, b.buffersLeft-n
	return nil
}

// viewBuffers returns how many further buffers the next column of views has.
func (b *arrowBody) viewBuffers() (int, *Error) {
	if b.viewsLeft == 0 {
		return 0, bad(Unparsable, damagedBatch)
	}
	n := b.flat.i64(b.views)
	b.views, b.viewsLeft = b.views+8, b.viewsLeft-1
	if n < 0 || n > int64(b.buffersLeft) {
		return 0, bad(Unparsable, damagedBatch)
	}
	return int(n), nil
}

// buffer returns the next buffer, decompressed.
func (r *arrowReader) buffer() ([]byte, *Error) {
	b := &r.body
	if b.buffersLeft == 0 {
		return nil, bad(Unparsable, damagedBatch)
	}
	at, n := b.flat.i64(b.buffers), b.flat.i64(b.buffers+8)
	b.buffers, b.buffersLeft = b.buffers+16, b.buffersLeft-1
	size := int64(len(b.bytes))
	if at < 0 || n < 0 || n > size || at > size-n {
		return nil, bad(Unparsable, damagedBatch)
	}
	raw := b.bytes[at : at+n]
	if b.codec == noCodec || n == 0 {
		return raw, nil
	}
	if n < 8 {
		return nil, bad(Unparsable, damagedBatch)
	}
	plain := int64(binary.LittleEndian.Uint64(raw))
	raw = raw[8:]
	switch {
	case plain == -1: // not compressed after all
		return raw, nil
	case plain < 0:
		return nil, bad(Unparsable, damagedBatch)
	}
	return r.memory.inflate(b.codec, raw, plain)
}

// arrowMemory holds what a record needs beside its own bytes. It is used again
// for the next record.
type arrowMemory struct {
	left     int // bytes that may still be inflated
	plain    []byte
	used     int
	ints     []int32
	intsUsed int
	input    bytes.Reader
	lz4      *lz4.Reader
	zstd     *zstd.Decoder
	// room, if set, is asked before memory for decompressed buffers is taken,
	// with the bytes that are taken then in all; refused says that it had none.
	room    func(bytes int) bool
	held    int
	refused bool
}

func (m *arrowMemory) reset(bytes int) { m.left, m.used, m.intsUsed = bytes, 0, 0 }

// take returns n bytes of memory that nothing else uses until the next record.
// What was taken before stays valid if a larger block replaces the one it is in.
func (m *arrowMemory) take(n int) []byte {
	if n > len(m.plain)-m.used {
		m.plain, m.used = make([]byte, m.block(n)), 0
	}
	m.used += n
	return m.plain[m.used-n : m.used : m.used]
}

// block is the size of the next block of memory if n bytes are needed.
func (m *arrowMemory) block(n int) int { return max(n, 2*len(m.plain), 64<<10) }

// admit asks for the room of the block that taking n bytes needs.
func (m *arrowMemory) admit(n int) bool {
	if m.room == nil || n <= len(m.plain)-m.used {
		return true
	}
	m.held += m.block(n)
	m.refused = !m.room(m.held)
	return !m.refused
}

func (m *arrowMemory) takeInts(n int) []int32 {
	if n > len(m.ints)-m.intsUsed {
		m.ints, m.intsUsed = make([]int32, max(n, 2*len(m.ints), 8<<10)), 0
	}
	m.intsUsed += n
	return m.ints[m.intsUsed-n : m.intsUsed : m.intsUsed]
}

// inflate decompresses a buffer to exactly size bytes.
func (m *arrowMemory) inflate(codec int64, raw []byte, size int64) ([]byte, *Error) {
	if size > int64(m.left) {
		return nil, bad(TooLarge, "the record is too large once it is decompressed; send fewer rows a record")
	}
	if !m.admit(int(size)) {
		return nil, bad(TooLarge, ErrNoRoom.Error())
	}
	m.left -= int(size)
	out := m.take(int(size))
	var err error
	if codec == lz4Frame {
		err = m.inflateLZ4(out, raw)
	} else {
		err = m.inflateZstd(out, raw)
	}
	if err != nil {
		return nil, bad(Unparsable, "a compressed buffer of the Arrow stream is damaged")
	}
	return out, nil
}

func (m *arrowMemory) inflateLZ4(out, raw []byte) error {
	if m.lz4 == nil {
		m.lz4 = lz4.NewReader(&m.input)
	}
	m.input.Reset(raw)
	m.lz4.Reset(&m.input)
	if _, err := io.ReadFull(m.lz4, out); err != nil {
		return err
	}
	return ended(m.lz4)
}

// ended checks that a frame holds nothing more.
func ended(r io.Reader) error {
	var more [1]byte
	n, err := r.Read(more[:])
	switch {
	case n > 0:
		return io.ErrShortBuffer
	case err == io.EOF:
		return nil
	case err == nil:
		return io.ErrNoProgress
	}
	return err
}

func (m *arrowMemory) inflateZstd(out, raw []byte) error {
	if m.zstd == nil {
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return err
		}
		m.zstd = d
	}
	plain, err := m.zstd.DecodeAll(raw, out[:0])
	if err == nil && len(plain) != len(out) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
