package engine

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// decodeBody undoes a Content-Encoding.
func decodeBody(r io.Reader, encoding string) (io.Reader, error) {
	var d io.Reader
	var err error
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
		return r, nil
	case "gzip", "x-gzip":
		d, err = gzip.NewReader(r)
	case "deflate":
		d, err = zlib.NewReader(r)
	case "br":
		d = brotli.NewReader(r)
	case "zstd":
		var z *zstd.Decoder
		if z, err = zstd.NewReader(r, zstd.WithDecoderConcurrency(1)); err == nil {
			d = z.IOReadCloser()
		}
	case "lz4":
		d = lz4.NewReader(r)
	default:
		return nil, raise(codeNotImplemented, "NOT_IMPLEMENTED", fmt.Sprintf("unknown Content-Encoding %q", clip(encoding, 40)))
	}
	if err != nil {
		return nil, raise(codeCannotReadAll, "CANNOT_READ_ALL_DATA", fmt.Sprintf("request body is not %s: %v", encoding, err))
	}
	return d, nil
}

// blockReader undoes the block compression of decompress=1. The frame reader
// below wraps io.EOF both at the end and in a frame that is cut behind its
// header; only the first, at which nothing was read, is the end.
type blockReader struct {
	src    *countReader
	frames *compress.Reader
}

func newBlockReader(r io.Reader) *blockReader {
	src := &countReader{r: r}
	return &blockReader{src: src, frames: compress.NewReader(src)}
}

func (b *blockReader) Read(p []byte) (int, error) {
	before := b.src.n
	n, err := b.frames.Read(p)
	if errors.Is(err, io.EOF) {
		if err = io.EOF; b.src.n != before {
			err = io.ErrUnexpectedEOF
		}
	}
	return n, err
}

// countReader counts what it passes on.
type countReader struct {
	r io.Reader
	n int64
}

func (c *countReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// chooseEncoding takes the first acceptable encoding in ClickHouse's order.
func chooseEncoding(accept string) string {
	accepted := map[string]bool{}
	for part := range strings.SplitSeq(accept, ",") {
		name, q, _ := strings.Cut(strings.TrimSpace(part), ";")
		if strings.ReplaceAll(q, " ", "") != "q=0" {
			accepted[strings.ToLower(strings.TrimSpace(name))] = true
		}
	}
	for _, e := range []string{"br", "gzip", "deflate", "lz4", "zstd"} {
		if accepted[e] {
			return e
		}
	}
	return ""
}

// encodeBody wraps w in a Content-Encoding that chooseEncoding returned.
func encodeBody(w io.Writer, encoding string) io.WriteCloser {
	switch encoding {
	case "br":
		return brotli.NewWriterLevel(w, 3)
	case "gzip":
		z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed) // the level is valid
		return z
	case "deflate":
		z, _ := zlib.NewWriterLevel(w, zlib.BestSpeed) // the level is valid
		return z
	case "lz4":
		return lz4.NewWriter(w)
	case "zstd":
		z, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) // the options are valid
		return z
	}
	return nopCloser{w}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// lastBytes remembers how a stream ended.
type lastBytes struct {
	b      [8]byte
	n      int
	failed bool // the engine gave up, its error counts
}

func (l *lastBytes) add(p []byte) {
	l.n += len(p)
	if len(p) >= 8 {
		copy(l.b[:], p[len(p)-8:])
		return
	}
	copy(l.b[:], l.b[len(p):])
	copy(l.b[8-len(p):], p)
}

// endsArrow reports whether the bytes end as an Arrow IPC stream does: with a
// message of length 0, behind the continuation marker or, in the format
// before 0.15, alone.
func (l *lastBytes) endsArrow() bool {
	return l.failed || l.n == 0 || bytes.Equal(l.b[4:], []byte{0, 0, 0, 0})
}
