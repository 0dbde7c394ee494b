package fetch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	kafkasnappy "github.com/segmentio/kafka-go/compress/snappy"
)

// spec describes a batch to build; the builder is independent of the parser.
type spec struct {
	base, producer int64
	deltas         []int64 // offsets of the records
	last           int64   // last offset delta; 0 is that of the last record
	attributes     int16
	maxTime        int64
	key            []byte
	payload        []byte // instead of built records
	count          int
}

func (s spec) build() []byte {
	payload, count := s.payload, s.count
	if payload == nil {
		for _, d := range s.deltas {
			payload = append(payload, oneRecord(1000+d, d, s.key, []byte("value"))...)
		}
		count = len(s.deltas)
	}
	if n := len(s.deltas); n > 0 && s.last == 0 {
		s.last = s.deltas[n-1]
	}
	b := make([]byte, headerSize, headerSize+len(payload))
	binary.BigEndian.PutUint64(b, uint64(s.base))
	b[atMagic] = 2
	binary.BigEndian.PutUint16(b[atAttributes:], uint16(s.attributes))
	binary.BigEndian.PutUint32(b[atLastDelta:], uint32(s.last))
	binary.BigEndian.PutUint64(b[atBaseTime:], 5000)
	binary.BigEndian.PutUint64(b[atMaxTime:], uint64(s.maxTime))
	binary.BigEndian.PutUint64(b[atProducer:], uint64(s.producer))
	binary.BigEndian.PutUint32(b[atCount:], uint32(count))
	return seal(append(b, payload...))
}

func oneRecord(time, delta int64, key, value []byte) []byte {
	b := []byte{0}
	b = binary.AppendVarint(b, time)
	b = binary.AppendVarint(b, delta)
	for _, f := range [][]byte{key, value} {
		if f == nil {
			b = binary.AppendVarint(b, -1)
			continue
		}
		b = append(binary.AppendVarint(b, int64(len(f))), f...)
	}
	b = append(b, 0)
	return append(binary.AppendVarint(nil, int64(len(b))), b...)
}

func set(specs ...spec) []byte {
	var b []byte
	for _, s := range specs {
		b = append(b, s.build()...)
	}
	return b
}

func run(n int64) []int64 {
	d := make([]int64, n)
	for i := range d {
		d[i] = int64(i)
	}
	return d
}

func marker(base, producer int64, kind byte) spec {
	return spec{base: base, producer: producer, deltas: run(1), attributes: controlBit | transactionBit, key: []byte{0, 0, 0, kind}}
}

func TestShapes(t *testing.T) {
	tx := int16(transactionBit)
	for _, test := range []struct {
		name    string
		records []byte
		from    int64
		high    int64 // 0 is far away
		aborted []transaction
		offsets []int64
		next    int64
		gap     int64
		err     error
	}{
		{name: "nothing", from: 7, next: 7},
		{name: "begins before the offset", records: set(spec{base: 10, deltas: run(5)}), from: 12, offsets: []int64{12, 13, 14}, next: 15},
		{name: "a whole batch before the offset", records: set(spec{base: 10, deltas: run(5)}, spec{base: 15, deltas: run(1)}), from: 15, offsets: []int64{15}, next: 16},
		{name: "compacted", records: set(spec{base: 3, deltas: []int64{1, 4}, last: 9}, spec{base: 20, deltas: run(1)}), offsets: []int64{4, 7, 20}, next: 21, gap: 10},
		{name: "compacted away", records: set(spec{base: 0, last: 5, payload: []byte{}}, spec{base: 6, last: 3, payload: []byte{}, attributes: int16(codecGzip)}), next: 10},
		{name: "control", records: set(spec{base: 0, deltas: run(1)}, marker(1, 5, 1)), offsets: []int64{0}, next: 2},
		{name: "aborted", records: set(spec{base: 0, deltas: run(2), producer: 5, attributes: tx}, marker(2, 5, 0)), aborted: []transaction{{5, 0}}, next: 3},
		{name: "aborted without its end", records: set(spec{base: 0, deltas: run(2), producer: 5, attributes: tx}), aborted: []transaction{{5, 0}}, next: 2},
		{name: "another producer", records: set(spec{base: 0, deltas: run(2), producer: 6, attributes: tx}), aborted: []transaction{{5, 0}}, offsets: []int64{0, 1}, next: 2},
		{name: "not transactional", records: set(spec{base: 0, deltas: run(2), producer: 5}), aborted: []transaction{{5, 0}}, offsets: []int64{0, 1}, next: 2},
		{name: "before and behind an aborted one", records: set(
			spec{base: 0, deltas: run(1), producer: 5, attributes: tx}, marker(1, 5, 1),
			spec{base: 2, deltas: run(1), producer: 5, attributes: tx}, marker(3, 5, 0),
			spec{base: 4, deltas: run(1), producer: 5, attributes: tx}, marker(5, 5, 1)), aborted: []transaction{{5, 2}}, offsets: []int64{0, 4}, next: 6},
		{name: "a commit marker ends no aborted one", records: set(
			spec{base: 0, deltas: run(1), producer: 5, attributes: tx}, marker(1, 5, 1), spec{base: 2, deltas: run(1), producer: 5, attributes: tx}), aborted: []transaction{{5, 0}}, next: 3},
		{name: "began before the fetch", records: set(spec{base: 8, deltas: run(1), producer: 5, attributes: tx}, marker(9, 5, 0), spec{base: 10, deltas: run(1), producer: 5, attributes: tx}), from: 8, aborted: []transaction{{5, 1}}, offsets: []int64{10}, next: 11},
		{name: "v0", records: append(make([]byte, 16), bytes.Repeat([]byte{0}, 30)...), err: ErrLegacy},
		{name: "v1", records: append(append(make([]byte, 16), 1), bytes.Repeat([]byte{0}, 30)...), err: ErrLegacy},
		{name: "v3", records: append(append(make([]byte, 16), 3), bytes.Repeat([]byte{0}, 80)...), err: ErrCorrupt},
		{name: "overlapping batches", records: set(spec{base: 10, deltas: run(5)}, spec{base: 14, deltas: run(1)}), from: 10, offsets: []int64{10, 11, 12, 13, 14}, next: 15},
		{name: "beyond the end", records: set(spec{base: 10, deltas: run(5)}), from: 9, high: 12, err: ErrCorrupt},
		{name: "newer than the high watermark", records: set(spec{base: 10, deltas: run(1)}), from: 10, high: 10, offsets: []int64{10}, next: 11},
		{name: "offsets beyond the batch", records: set(spec{deltas: []int64{0, 5}, last: 4}), err: ErrCorrupt},
		{name: "offsets out of order", records: set(spec{deltas: []int64{1, 0}, last: 4}), err: ErrCorrupt},
		{name: "same offset", records: set(spec{deltas: []int64{1, 1}, last: 4}), err: ErrCorrupt},
		{name: "negative offset", records: set(spec{base: -1, deltas: run(1)}), err: ErrCorrupt},
		{name: "more records than offsets", records: set(spec{last: 0, count: 2, payload: append(oneRecord(0, 0, nil, nil), oneRecord(0, 1, nil, nil)...)}), err: ErrCorrupt},
		{name: "more records than bytes", records: set(spec{last: 9, count: 3, payload: oneRecord(0, 0, nil, nil)}), err: ErrCorrupt},
		{name: "more bytes than records", records: set(spec{last: 9, count: 1, payload: append(oneRecord(0, 0, nil, nil), 0)}), err: ErrCorrupt},
		{name: "unknown compression", records: set(spec{deltas: run(1), attributes: 5}), err: ErrUnsupported},
		{name: "not gzip", records: set(spec{deltas: run(1), attributes: 1}), err: ErrCorrupt},
		{name: "not snappy", records: set(spec{deltas: run(1), attributes: 2}), err: ErrCorrupt},
		{name: "not lz4", records: set(spec{deltas: run(1), attributes: 3}), err: ErrCorrupt},
		{name: "not zstd", records: set(spec{deltas: run(1), attributes: 4}), err: ErrCorrupt},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := parser(t, 1<<20)
			if test.high == 0 {
				test.high = 1 << 40
			}
			p.feed(test.records, test.from, test.high, test.aborted)
			err := p.assemble(test.from)
			if !errors.Is(err, test.err) {
				t.Fatalf("got %v, want %v", err, test.err)
			}
			if err != nil {
				return
			}
			var got []int64
			for r := range p.chunk.Records() {
				got = append(got, r.Offset)
				if r.Timestamp < 6000 || string(r.Value) != "value" {
					t.Errorf("got %+v", r)
				}
			}
			if len(got) != len(test.offsets) && test.name != "overlapping batches" {
				t.Fatalf("offsets %v, want %v", got, test.offsets)
			}
			for i := range got {
				if got[i] != test.offsets[i] {
					t.Fatalf("offsets %v, want %v", got, test.offsets)
				}
			}
			if test.name == "overlapping batches" {
				if err := p.assemble(p.chunk.Next); !errors.Is(err, ErrCorrupt) {
					t.Fatalf("got %v", err)
				}
				return
			}
			if p.chunk.Next != test.next || p.chunk.Gap != test.gap {
				t.Errorf("next %d gap %d, want %d and %d", p.chunk.Next, p.chunk.Gap, test.next, test.gap)
			}
		})
	}
}

func TestLogAppendTime(t *testing.T) {
	p := parser(t, 1<<20)
	p.feed(set(spec{deltas: run(3), attributes: appendTimeBit, maxTime: 777}), 0, 3, nil)
	if err := p.assemble(0); err != nil {
		t.Fatal(err)
	}
	for r := range p.chunk.Records() {
		if r.Timestamp != 777 {
			t.Errorf("time %d, want that of the broker", r.Timestamp)
		}
	}
}

func compress(tb testing.TB, with codec, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	var err error
	switch with {
	case codecGzip:
		w := gzip.NewWriter(&out)
		_, err = w.Write(b)
		err = errors.Join(err, w.Close())
	case codecSnappy:
		out.Write(snappy.Encode(nil, b))
	case codecLZ4:
		w := lz4.NewWriter(&out)
		_, err = w.Write(b)
		err = errors.Join(err, w.Close())
	case codecZstd:
		var w *zstd.Encoder
		if w, err = zstd.NewWriter(&out); err == nil {
			_, err = w.Write(b)
			err = errors.Join(err, w.Close())
		}
	}
	if err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// TestBombs are small batches that expand to 64 MiB, and some that only say so.
// Beside the limit a decompressor holds its own buffers: lz4 at most four blocks
// of 4 MiB, from a pool that the race detector empties at random.
func TestBombs(t *testing.T) {
	const (
		limit   = 1 << 20
		buffers = 4 * 4 << 20
	)
	zeros := make([]byte, 64<<20)
	zstdAll, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name    string
		codec   codec
		payload []byte
		err     error
	}{
		{"gzip", codecGzip, compress(t, codecGzip, zeros), ErrTooLarge},
		{"lz4", codecLZ4, compress(t, codecLZ4, zeros), ErrTooLarge},
		{"zstd stream", codecZstd, compress(t, codecZstd, zeros), ErrTooLarge},
		{"zstd with its size", codecZstd, zstdAll.EncodeAll(zeros, nil), ErrTooLarge},
		{"snappy", codecSnappy, compress(t, codecSnappy, zeros[:15<<20]), ErrTooLarge},
		{"snappy, a lie", codecSnappy, append(binary.AppendUvarint(nil, 900<<10), 0, 'x'), ErrCorrupt},
		{"xerial, a lie", codecSnappy, append([]byte(xerial+"\x00\x00\x00\x01\x00\x00\x00\x01"), 0x7f, 0xff, 0xff, 0xff), ErrCorrupt},
		{"xerial, many blocks", codecSnappy, []byte(xerial + "\x00\x00\x00\x01\x00\x00\x00\x01" + strings.Repeat(block(zeros[:64<<10]), 20)), ErrTooLarge},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := parser(t, limit)
			if len(test.payload) > limit-headerSize {
				t.Fatalf("%d bytes are no small batch", len(test.payload))
			}
			p.feed(set(spec{last: 9, count: 10, payload: test.payload, attributes: int16(test.codec)}), 0, 10, nil)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			err := p.assemble(0)
			runtime.ReadMemStats(&after)
			if !errors.Is(err, test.err) {
				t.Errorf("got %v, want %v", err, test.err)
			}
			if got := after.TotalAlloc - before.TotalAlloc; got > 4*limit+buffers {
				t.Errorf("%d bytes were allocated for a limit of %d and buffers of %d", got, limit, buffers)
			}
		})
	}
}

func block(b []byte) string {
	c := snappy.Encode(nil, b)
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(c)))) + string(c)
}

// TestXerial reads the framing that Java's and kafka-go's producers write.
func TestXerial(t *testing.T) {
	var records []byte
	for _, d := range run(5000) {
		records = append(records, oneRecord(1000+d, d, []byte("key"), bytes.Repeat([]byte("v"), int(d%97)))...)
	}
	var framed bytes.Buffer
	w := (&kafkasnappy.Codec{Framing: kafkasnappy.Framed}).NewWriter(&framed)
	if _, err := w.Write(records); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(framed.String(), xerial) {
		t.Fatal("kafka-go did not frame")
	}
	half := len(records) / 2
	header := xerial + "\x00\x00\x00\x01\x00\x00\x00\x01"
	for name, payload := range map[string][]byte{
		"kafka-go":  framed.Bytes(),
		"two files": []byte(header + block(records[:half]) + header + block(records[half:])),
		"bare":      snappy.Encode(nil, records),
	} {
		p := parser(t, 1<<20)
		p.feed(set(spec{last: 4999, count: 5000, payload: payload, attributes: int16(codecSnappy)}), 0, 5000, nil)
		if err := p.assemble(0); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		n := int64(0)
		for r := range p.chunk.Records() {
			if r.Offset != n || string(r.Key) != "key" || len(r.Value) != int(n%97) {
				t.Fatalf("%s: got %+v", name, r)
			}
			n++
		}
		if n != 5000 {
			t.Errorf("%s: %d records", name, n)
		}
	}
}

// TestViewsAreStable keeps the views of a chunk of several batches in several
// codecs, which share buffers, until the last was read.
func TestViewsAreStable(t *testing.T) {
	var b []byte
	next := int64(0)
	for round := range 40 {
		with := codec(round % 5)
		var records []byte
		for d := range int64(50) {
			records = append(records, oneRecord(1000, d, nil, bytes.Repeat([]byte{byte(next + d)}, 301))...)
		}
		if with != codecNone {
			records = compress(t, with, records)
		}
		b = append(b, spec{base: next, last: 49, count: 50, payload: records, attributes: int16(with)}.build()...)
		next += 50
	}
	p := parser(t, 1<<20)
	p.feed(b, 0, next, nil)
	for at := int64(0); at < next; at = p.chunk.Next {
		if err := p.assemble(at); err != nil {
			t.Fatal(err)
		}
		var all []Record
		for r := range p.chunk.Records() {
			all = append(all, r)
		}
		for i, r := range all {
			if r.Offset != at+int64(i) || !bytes.Equal(r.Value, bytes.Repeat([]byte{byte(r.Offset)}, 301)) {
				t.Fatalf("record %d of the chunk at %d changed", i, at)
			}
		}
	}
}
