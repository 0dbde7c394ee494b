package fetch

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	fetchapi "github.com/segmentio/kafka-go/protocol/fetch"
)

// chunkBytes is how many bytes of records one Fetch verifies and hands out, at
// least one batch: little enough to be in the processor's cache when the caller
// reads them again, and a bound to what compressed batches expand to at a time.
const chunkBytes = 512 << 10

// Chunk is what one Fetch returns: the records of some whole batches. It and
// its records are valid until the partition's next Fetch.
type Chunk struct {
	// Offset is the one that was asked for.
	Offset int64
	// Next is the offset to go on from. It is beyond the last record if control
	// batches, aborted transactions or compacted records follow it.
	Next int64
	// HighWatermark is the offset behind the last replicated record, LastStable
	// the one behind the last that is not in an open transaction, and LogStart
	// the first that still exists; all as of the broker's answer.
	HighWatermark, LastStable, LogStart int64
	// Gap counts the offsets between Offset and Next that no batch covers. On a
	// topic that is not compacted it is 0.
	Gap int64
	// Control and Aborted count the records that were dropped as control records
	// and as parts of aborted transactions.
	Control, Aborted int

	spans []span
}

// Records iterates over the records at or after Offset, in order. It may be
// called again.
func (c *Chunk) Records() iter.Seq[Record] { return c.each }

func (c *Chunk) each(yield func(Record) bool) {
	var r raw
	for i := range c.spans {
		s := &c.spans[i]
		for b := s.records; len(b) > 0; {
			var ok bool
			if b, ok = r.parse(b); !ok {
				// They were verified: the buffer belongs to another Fetch by now.
				panic("fetch: records used after the partition's next Fetch")
			}
			if s.base+r.offset < c.Offset {
				continue
			}
			t := s.time
			if !s.fixed {
				t += r.time
			}
			if !yield(Record{Offset: s.base + r.offset, Timestamp: t, Key: r.key, Value: r.value, headers: r.headers}) {
				return
			}
		}
	}
}

// Partition reads one partition from its leader, on a connection of its own.
// It is not safe for concurrent use.
type Partition struct {
	f         *Fetcher
	topic     string
	partition int

	conn    *conn
	request fetchapi.Request

	response []byte // holds rest and, if not compressed, the chunk's records
	arena    []byte // holds decompressed records of the chunk
	aborted  []transaction

	// What was received and not handed out yet.
	rest   []byte
	begun  int64 // the offset at which rest goes on
	lowest int64 // the lowest base offset that the next batch of rest may have
	aborts aborts
	chunk  Chunk
}

// Partition returns a reader of one partition. It connects when first asked.
func (f *Fetcher) Partition(topic string, partition int) *Partition {
	return &Partition{f: f, topic: topic, partition: partition, request: fetchapi.Request{
		// The limit of the one partition is the one that counts. kfake leaves out
		// the aborted transactions of an answer that the limit of all cuts off.
		ReplicaID: -1, MinBytes: 1, MaxBytes: math.MaxInt32,
		IsolationLevel: int8(kafka.ReadCommitted), SessionEpoch: -1,
		Topics: []fetchapi.RequestTopic{{Topic: topic, Partitions: []fetchapi.RequestPartition{{
			Partition: int32(partition), CurrentLeaderEpoch: -1, LogStartOffset: -1, PartitionMaxBytes: int32(f.cfg.MaxBytes),
		}}}},
	}}
}

// Close closes the connection and gives the buffers back. The last chunk is no
// longer valid; the partition may be used again.
func (p *Partition) Close() error {
	p.drop()
	p.release()
	return p.disconnect()
}

// Fetch returns the records from an offset on. If none exist yet, it waits for
// the first at most as long as wait says, and may return a chunk without any;
// so it may if all were dropped, and Next tells. What a broker sends at once is
// handed out in several chunks to a caller that goes on from Next, without
// asking again.
//
// Every error is an *Error. If the leader has moved, the new one is asked once
// before that becomes an error. After an error the next Fetch begins anew, with
// another connection where that may help.
func (p *Partition) Fetch(ctx context.Context, offset int64, wait time.Duration) (*Chunk, error) {
	err := p.fetch(ctx, offset, wait)
	if err != nil {
		p.drop()
		return nil, &Error{Topic: p.topic, Partition: p.partition, Offset: offset, Err: err}
	}
	return &p.chunk, nil
}

func (p *Partition) fetch(ctx context.Context, offset int64, wait time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if len(p.rest) > 0 && p.begun == offset {
		// What is left may be the first part of a batch, which is nothing.
		if err := p.assemble(offset); err != nil || p.chunk.Next > offset {
			return err
		}
	}
	known := p.conn != nil
	err := p.receive(ctx, offset, wait)
	if known && moved(err) {
		err = p.receive(ctx, offset, wait)
	}
	if err != nil {
		return err
	}
	size := len(p.rest)
	if err := p.assemble(offset); err != nil {
		return err
	}
	if size > 0 && p.chunk.Next == offset {
		return fmt.Errorf("%d bytes without a whole batch at or after it: %w", size, ErrCorrupt)
	}
	return nil
}

// receive asks the leader, which it finds first if need be, and keeps the
// answer.
func (p *Partition) receive(ctx context.Context, offset int64, wait time.Duration) (err error) {
	p.release()
	if p.conn == nil {
		address, err := p.f.leader(ctx, p.topic, p.partition)
		if err != nil {
			return fmt.Errorf("find the leader: %w", err)
		}
		if p.conn, err = p.f.dial(ctx, address); err != nil {
			return err
		}
	}
	var a answer
	err = p.conn.during(ctx, wait+p.f.cfg.Timeout, func() error {
		body, err := p.exchange(offset, wait)
		if err != nil {
			return err
		}
		a, err = parseResponse(body, p.topic, p.partition, p.aborted)
		return err
	})
	p.aborted = a.aborted
	if err != nil {
		// Also after an answer: it may be another broker's partition now. That the
		// close fails does not matter any more.
		_ = p.disconnect()
		return err
	}
	p.rest, p.begun, p.lowest = a.records, offset, 0
	p.aborts.reset(a.aborted)
	p.chunk.HighWatermark, p.chunk.LastStable, p.chunk.LogStart = a.highWatermark, a.lastStable, a.logStart
	return nil
}

// responseSlack is what a response holds beside the records: names, and aborted
// transactions at 16 bytes each.
const responseSlack = 1 << 20

// exchange sends a fetch request and reads the body of its answer.
func (p *Partition) exchange(offset int64, wait time.Duration) ([]byte, error) {
	c := p.conn
	c.correlation++
	p.request.MaxWaitTime = int32(max(0, wait.Milliseconds()))
	p.request.Topics[0].Partitions[0].FetchOffset = offset
	if err := protocol.WriteRequest(c, fetchVersion, c.correlation, c.clientID, &p.request); err != nil {
		return nil, fmt.Errorf("send: %w", err)
	}
	head := c.head[:]
	if err := c.readFull(head); err != nil {
		return nil, fmt.Errorf("read a response: %w", err)
	}
	size := int(int32(binary.BigEndian.Uint32(head))) - 4
	if id := int32(binary.BigEndian.Uint32(head[4:])); id != c.correlation {
		return nil, fmt.Errorf("request %d was answered as %d", c.correlation, id)
	}
	if limit := p.f.cfg.MaxBytes + p.f.cfg.MaxBatchBytes + responseSlack; size < 0 || size > limit {
		return nil, fmt.Errorf("a response of %d bytes, the limit is %d: %w", size, limit, ErrTooLarge)
	}
	if cap(p.response) < size {
		want := smallBuffer
		if size > smallBuffer {
			// As large as most will be, so that it serves again; larger ones grow.
			want = p.f.cfg.MaxBytes + smallBuffer
		}
		p.response = p.f.responses.take(want)
	}
	var err error
	p.response, err = readBody(c, p.response, size)
	return p.response, err
}

// assemble makes the next chunk, from an offset on, of what was received. A
// batch that cannot be read is an error only if it is the first: those before
// it are delivered, and then it is the first.
func (p *Partition) assemble(offset int64) error {
	c := &p.chunk
	c.Offset, c.Next = offset, offset
	c.Gap, c.Control, c.Aborted = 0, 0, 0
	clear(c.spans)
	c.spans = c.spans[:0]
	arena := p.arena[:0]
	defer func() { p.arena, p.begun = larger(arena, p.arena), c.Next }()
	for size := 0; size < chunkBytes; {
		b, n, err := parseBatch(p.rest, p.f.cfg.MaxBatchBytes)
		if err == nil && n == 0 {
			// The end, or a batch that was cut off at the requested size.
			p.rest = nil
			break
		}
		if len(c.spans) > 0 && b.codec() != codecNone && cap(arena)-len(arena) < likelyRatio*len(b.records) {
			break // it has the whole arena next time
		}
		var records []byte
		if err == nil {
			records, arena, err = p.take(&b, arena)
		}
		if err != nil {
			if c.Next == offset {
				return err
			}
			break
		}
		p.rest = p.rest[n:]
		size += len(records)
	}
	return nil
}

// likelyRatio is what most compressed batches do not exceed when decompressed.
const likelyRatio = 4

func larger(a, b []byte) []byte {
	if cap(a) < cap(b) {
		return b
	}
	return a
}

// take adds a batch to the chunk, or what it says of transactions to the state,
// and returns its records if they are handed out.
func (p *Partition) take(b *batch, arena []byte) (records, _ []byte, err error) {
	c := &p.chunk
	gap := max(0, b.base-c.Next)
	switch {
	// Records written while the broker answered may lie beyond the high
	// watermark it names, but they follow on what is before them.
	case b.base < p.lowest, gap > 0 && c.HighWatermark >= 0 && b.last >= c.HighWatermark:
		return nil, arena, fmt.Errorf("offsets %d to %d, %d is next and the high watermark %d: %w", b.base, b.last, c.Next, c.HighWatermark, ErrCorrupt)
	case b.last < c.Offset:
		// A broker may begin before the offset. Nothing of it is wanted.
		p.lowest = b.last + 1
		return nil, arena, nil
	}
	p.aborts.reach(b.last)
	control, transactional := b.attributes&controlBit != 0, b.attributes&transactionBit != 0
	dropped := transactional && !control && p.aborts.aborted(b.producer)
	if !dropped {
		if records, arena, err = p.content(b, arena); err != nil {
			return nil, arena, fmt.Errorf("batch at %d: %w", b.base, err)
		}
	}
	c.Gap += gap
	c.Next = b.last + 1
	p.lowest = c.Next
	switch {
	case control:
		c.Control += b.count
		if abortMarker(records) {
			p.aborts.end(b.producer)
		}
		return nil, arena, nil
	case dropped:
		c.Aborted += b.count
		return nil, arena, nil
	}
	s := span{base: b.base, time: b.baseTime, records: records}
	if b.attributes&appendTimeBit != 0 {
		s.time, s.fixed = b.maxTime, true
	}
	c.spans = append(c.spans, s)
	return records, arena, nil
}

// content returns the verified records of a batch, decompressed behind what the
// arena holds or, if it is full, in a new one.
func (p *Partition) content(b *batch, arena []byte) (records, _ []byte, err error) {
	if b.codec() == codecNone {
		return b.records, arena, b.verify(b.records)
	}
	if b.count == 0 && len(b.records) == 0 {
		return nil, arena, nil // compacted away
	}
	if arena == nil {
		arena = p.f.arenas.take(2 * chunkBytes)
	}
	free := arena[len(arena):]
	records, err = p.f.codecs.decompress(b.codec(), b.records, free)
	if err != nil {
		return nil, arena, err
	}
	if cap(records) == cap(free) {
		arena = arena[:len(arena)+len(records)]
	} else {
		// Views into the old one stay valid; it is used no more.
		arena = records
	}
	return records[:len(records):len(records)], arena, b.verify(records)
}

// drop forgets what was received.
func (p *Partition) drop() { p.rest = nil }

// release gives large buffers back while the partition waits.
func (p *Partition) release() {
	p.drop()
	clear(p.chunk.spans)
	p.chunk.spans = p.chunk.spans[:0]
	if cap(p.response) > smallBuffer {
		p.f.responses.give(p.response)
		p.response = nil
	}
	p.f.arenas.give(p.arena)
	p.arena = nil
}

func (p *Partition) disconnect() error {
	if p.conn == nil {
		return nil
	}
	err := p.conn.Close()
	p.conn = nil
	return err
}
