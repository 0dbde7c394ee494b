package fetch

import (
	"encoding/binary"
	"testing"
)

// FuzzRecordSet gives arbitrary record sets. With sealed, lengths and checksums
// are made right first, so that the bytes reach what lies behind them.
func FuzzRecordSet(f *testing.F) {
	for _, r := range recordings(f) {
		b := r.records
		if len(b) > 8<<10 {
			b = b[:8<<10]
		}
		f.Add(b, int64(0), true, int64(0))
		f.Add(b, int64(17), false, r.end)
		for _, at := range starts(r.records) {
			one := r.records[at:]
			f.Add(one[:min(len(one), 4<<10)], base(one), true, base(one))
		}
	}
	f.Add(set(spec{base: 3, deltas: []int64{1, 4}, last: 9}, marker(20, 5, 0)), int64(0), true, int64(1))
	const limit = 64 << 10
	p := parser(f, limit)
	f.Fuzz(func(t *testing.T, b []byte, from int64, sealed bool, aborted int64) {
		if from < 0 {
			return
		}
		if sealed {
			b = sealAll(append([]byte(nil), b...))
		}
		var list []transaction
		if len(b) >= headerSize {
			list = []transaction{{int64(binary.BigEndian.Uint64(b[atProducer:])), aborted}}
		}
		p.feed(b, from, -1, list)
		for at := from; len(p.rest) > 0; at = p.chunk.Next {
			left := len(p.rest)
			if err := p.assemble(at); err != nil {
				return
			}
			check(t, &p.chunk, at)
			if cap(p.arena) > 4*chunkBytes {
				t.Fatalf("an arena of %d bytes", cap(p.arena))
			}
			if len(p.rest) == left {
				t.Fatalf("no progress at %d with %d bytes left", at, left)
			}
		}
	})
}

func check(t *testing.T, c *Chunk, from int64) {
	last := from - 1
	for r := range c.Records() {
		if r.Offset <= last || r.Offset >= c.Next {
			t.Fatalf("offset %d after %d, next is %d", r.Offset, last, c.Next)
		}
		last = r.Offset
		n := 0
		for range r.Headers() {
			n++
		}
		if n != r.HeaderCount() {
			t.Fatalf("%d headers, %d were announced", n, r.HeaderCount())
		}
	}
	if c.Next < from || c.Gap < 0 || c.Gap > c.Next-from {
		t.Fatalf("from %d to %d with a gap of %d", from, c.Next, c.Gap)
	}
}

// sealAll makes the batches that b seems to consist of valid in length and
// checksum.
func sealAll(b []byte) []byte {
	for rest := b; len(rest) >= headerSize; {
		rest[atMagic] = 2
		n := lengthSize + int(binary.BigEndian.Uint32(rest[atLength:]))
		if n < headerSize || n > len(rest) {
			n = len(rest)
		}
		seal(rest[:n])
		rest = rest[n:]
	}
	return b
}

// FuzzResponse gives arbitrary response bodies.
func FuzzResponse(f *testing.F) {
	f.Add(response(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := parseResponse(b, topic, 0, nil)
		if err == nil && (len(a.records) > len(b) || 16*len(a.aborted) > len(b)) {
			t.Fatalf("%d bytes gave %d of records and %d transactions", len(b), len(a.records), len(a.aborted))
		}
	})
}
