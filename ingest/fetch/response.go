package fetch

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/segmentio/kafka-go"
)

// smallBuffer is what a partition may keep while it waits; larger buffers go
// back to the Fetcher, so that a hundred idle partitions hold little.
const smallBuffer = 64 << 10

// pages lends large buffers to the partitions that are reading.
type pages struct{ pool sync.Pool }

// take returns a buffer of length 0 and at least the given capacity.
func (p *pages) take(capacity int) []byte {
	if b, _ := p.pool.Get().(*[]byte); b != nil && cap(*b) >= capacity {
		return (*b)[:0]
	}
	return make([]byte, 0, capacity)
}

func (p *pages) give(b []byte) {
	if cap(b) > smallBuffer {
		p.pool.Put(&b)
	}
}

// readStep is how far a buffer grows ahead of the bytes that have arrived: a
// declared length alone allocates no more.
const readStep = 4 << 20

// readBody reads size bytes into buf, which it may replace.
func readBody(r io.Reader, buf []byte, size int) ([]byte, error) {
	buf = buf[:0]
	for len(buf) < size {
		if len(buf) == cap(buf) {
			buf = slices.Grow(buf, min(size-len(buf), max(readStep, len(buf))))
		}
		n, err := io.ReadFull(r, buf[len(buf):min(size, cap(buf))])
		buf = buf[:len(buf)+n]
		if err != nil {
			return buf, fmt.Errorf("read a response of %d bytes: %w", size, err)
		}
	}
	return buf, nil
}

// cursor reads big-endian fields. Past the end it reads zeros and is bad.
type cursor struct {
	b   []byte
	bad bool
}

func (c *cursor) take(n int) []byte {
	if n < 0 || n > len(c.b) {
		c.bad = true
		c.b = nil
		return nil
	}
	b := c.b[:n:n]
	c.b = c.b[n:]
	return b
}

func (c *cursor) int16() int16 {
	if b := c.take(2); b != nil {
		return int16(binary.BigEndian.Uint16(b))
	}
	return 0
}

func (c *cursor) int32() int32 {
	if b := c.take(4); b != nil {
		return int32(binary.BigEndian.Uint32(b))
	}
	return 0
}

func (c *cursor) int64() int64 {
	if b := c.take(8); b != nil {
		return int64(binary.BigEndian.Uint64(b))
	}
	return 0
}

// count reads the length of an array whose elements take at least size bytes
// each; a null array has none.
func (c *cursor) count(size int) int {
	n := int(c.int32())
	if n > len(c.b)/size {
		c.bad = true
		return 0
	}
	return max(n, 0)
}

// answer is what a fetch response says of one partition. records is a view
// into the response.
type answer struct {
	highWatermark, lastStable, logStart int64
	aborted                             []transaction
	records                             []byte
}

// parseResponse reads the body of a Fetch v11 response, behind its correlation
// id. aborted is reused.
func parseResponse(body []byte, topic string, partition int, aborted []transaction) (answer, error) {
	c := cursor{b: body}
	c.int32() // throttle time: the broker itself holds back
	if code := c.int16(); code != 0 {
		return answer{}, kafka.Error(code)
	}
	c.int32() // session
	for range c.count(2 + 4) {
		same := string(c.take(int(c.int16()))) == topic
		for range c.count(4 + 2 + 3*8 + 4 + 4 + 4) {
			index := int(c.int32())
			code, a, preferred := c.partition(aborted)
			switch {
			case c.bad:
				return a, fmt.Errorf("fetch response of %d bytes is cut off: %w", len(body), io.ErrUnexpectedEOF)
			case !same || index != partition:
				continue
			case code != 0:
				return a, code
			case preferred >= 0 && len(a.records) == 0:
				return a, fmt.Errorf("broker sends this client to replica %d: %w", preferred, ErrUnsupported)
			}
			return a, nil
		}
	}
	if c.bad {
		return answer{}, fmt.Errorf("fetch response of %d bytes is cut off: %w", len(body), io.ErrUnexpectedEOF)
	}
	return answer{}, kafka.UnknownTopicOrPartition
}

func (c *cursor) partition(aborted []transaction) (code kafka.Error, a answer, preferred int32) {
	code = kafka.Error(c.int16())
	a.highWatermark = c.int64()
	a.lastStable = c.int64()
	a.logStart = c.int64()
	a.aborted = aborted[:0]
	for range c.count(16) {
		a.aborted = append(a.aborted, transaction{producer: c.int64(), first: c.int64()})
	}
	slices.SortFunc(a.aborted, func(x, y transaction) int { return cmp.Compare(x.first, y.first) })
	preferred = c.int32()
	// A null record set has length -1.
	a.records = c.take(max(0, int(c.int32())))
	return code, a, preferred
}
