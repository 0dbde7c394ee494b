package storage

import (
	"errors"
	"io"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// Body is the Arrow stream of one record, as an INSERT sends it: metadata of its
// own and the columns' buffers by reference, so that a batch is not copied a
// last time. The record's memory must not change until the body is closed. A
// body is read once, so net/http cannot send it again over a connection that the
// server has just closed: the statement fails, and its caller looks before it repeats.
type Body struct {
	// mu is held while a part is being read: the transport may still send when
	// the statement has failed already.
	mu     sync.Mutex
	parts  [][]byte
	copied []byte // what follows the parts while they are collected
	size   int
	closed bool
}

// byReference is the least number of bytes that is referred to; metadata,
// padding and short columns are cheaper copied than sent in pieces.
const byReference = 16 << 10

// errBodyClosed ends a transport that reads on after the statement has failed.
var errBodyClosed = errors.New("the body of an insert is read after its end")

// NewBody encodes a record.
func NewBody(rec arrow.Record) (*Body, error) {
	b := &Body{}
	w := ipc.NewWriter((*bodyWriter)(b), ipc.WithSchema(rec.Schema()))
	if err := errors.Join(w.Write(rec), w.Close()); err != nil {
		return nil, err
	}
	b.parts, b.copied = append(b.parts, b.copied), nil
	return b, nil
}

// Len returns the size of the whole stream in bytes.
func (b *Body) Len() int { return b.size }

// bodyWriter collects the parts of a body. Unlike other writers it keeps what it
// is given: arrow's writer hands over the record's buffers, or new ones of a
// slice, and uses neither again.
type bodyWriter Body

func (b *bodyWriter) Write(p []byte) (int, error) {
	b.size += len(p)
	if len(p) < byReference {
		b.copied = append(b.copied, p...)
		return len(p), nil
	}
	if len(b.copied) > 0 {
		b.parts = append(b.parts, b.copied)
	}
	b.parts, b.copied = append(b.parts, p), nil
	return len(p), nil
}

// Read fills p with the next bytes of the stream.
func (b *Body) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return 0, errBodyClosed
	}
	n := 0
	for n < len(p) && len(b.parts) > 0 {
		k := copy(p[n:], b.parts[0])
		n += k
		if b.parts[0] = b.parts[0][k:]; len(b.parts[0]) == 0 {
			b.parts = b.parts[1:]
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// WriteTo writes what is left of the stream, part by part.
func (b *Body) WriteTo(w io.Writer) (written int64, err error) {
	for {
		n, err := b.writePart(w)
		written += int64(n)
		if errors.Is(err, io.EOF) {
			return written, nil
		}
		if err != nil {
			return written, err
		}
	}
}

func (b *Body) writePart(w io.Writer) (n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.closed:
		return 0, errBodyClosed
	case len(b.parts) == 0:
		return 0, io.EOF
	}
	n, err = w.Write(b.parts[0])
	if b.parts[0] = b.parts[0][n:]; len(b.parts[0]) == 0 {
		b.parts = b.parts[1:]
	}
	return n, err
}

// Close ends the body: whoever still reads gets an error, and nobody sees the
// record's memory any more.
func (b *Body) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed, b.parts = true, nil
	return nil
}
