package fetch

import (
	"encoding/binary"
	"iter"
)

// Record is one record. Key, Value and headers are views into the response and
// valid until the partition's next Fetch.
type Record struct {
	Offset int64
	// Timestamp is Unix milliseconds: the producer's, or the broker's if the
	// topic says LogAppendTime.
	Timestamp int64
	// Key and Value are nil if the record has none; a nil Value is a tombstone.
	Key, Value []byte

	headers []byte // verified: a count and that many headers
}

// HeaderCount returns the number of headers.
func (r Record) HeaderCount() int {
	n, _ := varint(r.headers, 0)
	return int(n)
}

// Headers iterates over the headers in the producer's order; keys may repeat.
// Values are nil if null. They are parsed when asked for.
func (r Record) Headers() iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		n, at := varint(r.headers, 0)
		for range n {
			var key, value []byte
			key, at = field(r.headers, at)
			value, at = field(r.headers, at)
			if at < 0 || !yield(key, value) {
				return
			}
		}
	}
}

// raw is a record as it stands in a batch.
type raw struct {
	time, offset        int64 // relative to the batch
	key, value, headers []byte
}

// parse reads the record at the start of b and returns what follows it.
// Headers are not looked into.
func (r *raw) parse(b []byte) (rest []byte, ok bool) {
	size, at := varint(b, 0)
	if at < 0 || size < 1 || size > int64(len(b)-at) {
		return nil, false
	}
	rest = b[at+int(size):]
	b = b[at : at+int(size)]
	// The first byte is attributes, of which none are defined.
	if r.time, at = varint(b, 1); at < 0 {
		return nil, false
	}
	if r.offset, at = varint(b, at); at < 0 {
		return nil, false
	}
	r.key, at = field(b, at)
	r.value, at = field(b, at)
	if at < 0 {
		return nil, false
	}
	r.headers = b[at:]
	return rest, true
}

// varint reads a zigzag varint at an index and returns the index behind it, -1
// if there is none. A negative index stays negative.
func varint(b []byte, at int) (int64, int) {
	if uint(at) < uint(len(b)) && b[at] < 0x80 {
		x := b[at]
		return int64(x>>1) ^ -int64(x&1), at + 1
	}
	return longVarint(b, at)
}

// longVarint is varint for more than one byte. Lengths and offsets within a
// batch mostly take two.
func longVarint(b []byte, at int) (int64, int) {
	if at < 0 || at >= len(b) {
		return 0, -1
	}
	if rest := b[at:]; len(rest) > 1 && rest[0] >= 0x80 && rest[1] < 0x80 {
		x := uint64(rest[0]&0x7f) | uint64(rest[1])<<7
		return int64(x>>1) ^ -int64(x&1), at + 2
	}
	x, n := binary.Uvarint(b[at:])
	if n <= 0 {
		return 0, -1
	}
	return int64(x>>1) ^ -int64(x&1), at + n
}

// field reads a length and that many bytes; a length of -1 is null. The slice
// has no spare capacity, so that an append cannot reach its neighbour.
func field(b []byte, at int) ([]byte, int) {
	n, at := varint(b, at)
	switch {
	case at < 0 || n < -1 || n > int64(len(b)-at):
		return nil, -1
	case n == -1:
		return nil, at
	}
	end := at + int(n)
	return b[at:end:end], end
}

func validHeaders(b []byte) bool {
	if len(b) == 1 && b[0] == 0 {
		return true
	}
	n, at := varint(b, 0)
	// A header takes two bytes at least.
	if at < 0 || n < 0 || n > int64(len(b)/2) {
		return false
	}
	for range n {
		var key []byte
		if key, at = field(b, at); at < 0 || key == nil {
			return false
		}
		if _, at = field(b, at); at < 0 {
			return false
		}
	}
	return at == len(b)
}
