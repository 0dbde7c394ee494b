package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// codec is the compression of a batch, the low three bits of its attributes.
type codec int

const (
	codecNone codec = iota
	codecGzip
	codecSnappy
	codecLZ4
	codecZstd
)

// codecs decompresses whole batches and holds the decompressors between them.
// No output exceeds limit.
type codecs struct {
	limit   int
	zstd    *zstd.Decoder // safe for concurrent use
	streams sync.Pool     // of *streams
}

// streams are the decompressors that read from an io.Reader.
type streams struct {
	src  bytes.Reader
	gzip gzip.Reader
	lz4  *lz4.Reader
}

// decompress returns the content of src, in dst's free capacity if that is
// enough and else in a new slice. A wrong input is ErrCorrupt.
func (c *codecs) decompress(with codec, src, dst []byte) (out []byte, err error) {
	switch with {
	case codecGzip, codecLZ4:
		out, err = c.stream(with, src, dst)
	case codecSnappy:
		out, err = c.snappy(src, dst)
	case codecZstd:
		out, err = c.zstdAll(src, dst)
	default:
		return nil, fmt.Errorf("compression %d: %w", with, ErrUnsupported)
	}
	if err != nil && !errors.Is(err, ErrTooLarge) {
		err = fmt.Errorf("decompress: %w: %w", ErrCorrupt, err)
	}
	return out, err
}

func (c *codecs) stream(with codec, src, dst []byte) ([]byte, error) {
	s, _ := c.streams.Get().(*streams)
	if s == nil {
		s = &streams{lz4: lz4.NewReader(nil)}
	}
	// Put back after an error too: both are reset before each use.
	defer c.streams.Put(s)
	s.src.Reset(src)
	defer s.src.Reset(nil)
	if with == codecLZ4 {
		s.lz4.Reset(&s.src)
		return c.readAll(s.lz4, len(src), dst)
	}
	if err := s.gzip.Reset(&s.src); err != nil {
		return nil, err
	}
	return c.readAll(&s.gzip, len(src), dst)
}

// readAll grows with what has come out, never with what was declared.
func (c *codecs) readAll(r io.Reader, hint int, dst []byte) ([]byte, error) {
	dst = dst[:0]
	for {
		if len(dst) == cap(dst) {
			dst = slices.Grow(dst, max(likelyRatio*hint, len(dst), smallBuffer))
		}
		n, err := r.Read(dst[len(dst):cap(dst)])
		dst = dst[:len(dst)+n]
		switch {
		case len(dst) > c.limit:
			return nil, c.tooLarge()
		case errors.Is(err, io.EOF):
			return dst, nil
		case err != nil:
			return nil, err
		}
	}
}

func (c *codecs) tooLarge() error {
	return fmt.Errorf("more than %d bytes decompressed: %w", c.limit, ErrTooLarge)
}

// zstdAll decodes into a capacity that doubles up to the limit.
func (c *codecs) zstdAll(src, dst []byte) ([]byte, error) {
	size := max(cap(dst), likelyRatio*len(src), smallBuffer)
	for {
		size = min(size, c.limit)
		if cap(dst) < size {
			dst = make([]byte, 0, size)
		}
		// The free capacity may be more than the limit; the decoder looks at both.
		out, err := c.zstd.DecodeAll(src, dst[:0])
		switch {
		case err == nil:
			return out, nil
		case !errors.Is(err, zstd.ErrDecoderSizeExceeded) && !errors.Is(err, zstd.ErrWindowSizeExceeded):
			return nil, err
		case size == c.limit || errors.Is(err, zstd.ErrWindowSizeExceeded):
			return nil, c.tooLarge()
		}
		size *= 2
	}
}

// snappyRatio bounds what a snappy block can expand to: the densest element is
// three bytes for 64.
const snappyRatio = 22

// xerial is the magic of the framing that Java's and older clients put around
// snappy blocks, followed by two versions of four bytes each.
const (
	xerial       = "\x82SNAPPY\x00"
	xerialHeader = len(xerial) + 8
)

func (c *codecs) snappy(src, dst []byte) ([]byte, error) {
	dst = dst[:0]
	if len(src) < xerialHeader || string(src[:len(xerial)]) != xerial {
		return c.snappyBlock(src, dst)
	}
	for len(src) > 0 {
		// Concatenated streams have a header each.
		if len(src) >= xerialHeader && string(src[:len(xerial)]) == xerial {
			src = src[xerialHeader:]
			continue
		}
		if len(src) < 4 {
			return nil, io.ErrUnexpectedEOF
		}
		size := binary.BigEndian.Uint32(src)
		src = src[4:]
		if uint64(size) > uint64(len(src)) {
			return nil, io.ErrUnexpectedEOF
		}
		var err error
		if dst, err = c.snappyBlock(src[:size], dst); err != nil {
			return nil, err
		}
		src = src[size:]
	}
	return dst, nil
}

// snappyBlock appends the content of a block.
func (c *codecs) snappyBlock(src, dst []byte) ([]byte, error) {
	n, err := snappy.DecodedLen(src)
	switch {
	case err != nil:
		return nil, err
	case n > snappyRatio*len(src):
		return nil, fmt.Errorf("a snappy block of %d bytes declares %d", len(src), n)
	case n > c.limit-len(dst):
		return nil, c.tooLarge()
	}
	dst = slices.Grow(dst, n)
	if _, err := snappy.Decode(dst[len(dst):len(dst)+n], src); err != nil {
		return nil, err
	}
	return dst[:len(dst)+n], nil
}
