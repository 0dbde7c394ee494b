package fetch

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
)

// The layout of a record batch of format 2, from
// https://kafka.apache.org/documentation/#recordbatch. The checksum covers
// everything from the attributes on.
const (
	atLength     = 8
	atMagic      = 16
	atCRC        = 17
	atAttributes = 21
	atLastDelta  = 23
	atBaseTime   = 27
	atMaxTime    = 35
	atProducer   = 43
	atCount      = 57
	headerSize   = 61
	// lengthSize is what precedes the bytes that the length counts.
	lengthSize = 12
)

// Bits of a batch's attributes.
const (
	codecBits       = 0x07
	appendTimeBit   = 0x08
	transactionBit  = 0x10
	controlBit      = 0x20
	abortMarkerType = 0
)

// castagnoli is the table of the batch checksum; it is never written.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// batch is the header of a record batch and a view of its records.
type batch struct {
	base, last int64
	baseTime   int64
	maxTime    int64
	producer   int64
	count      int
	attributes int16
	records    []byte // as sent, perhaps compressed
}

func (b *batch) codec() codec { return codec(b.attributes & codecBits) }

// span is the verified, decompressed records of one batch.
type span struct {
	base    int64
	time    int64 // the base of the records' times, or the time of all
	fixed   bool  // time is the time of all
	records []byte
}

// parseBatch reads the batch at the start of b and returns its length in bytes;
// 0 without an error means that b ends before the batch does.
func parseBatch(b []byte, limit int) (batch, int, error) {
	if len(b) <= atMagic {
		return batch{}, 0, nil
	}
	// The magic stands where both formats have it.
	switch magic := int8(b[atMagic]); {
	case magic == 0 || magic == 1:
		return batch{}, 0, fmt.Errorf("format %d: %w", magic, ErrLegacy)
	case magic != 2:
		return batch{}, 0, fmt.Errorf("format %d is none that exists: %w", magic, ErrCorrupt)
	}
	length := int64(int32(binary.BigEndian.Uint32(b[atLength:])))
	size := lengthSize + length
	switch {
	case size < headerSize:
		return batch{}, 0, fmt.Errorf("a batch of %d bytes: %w", size, ErrCorrupt)
	case size > int64(len(b)):
		return batch{}, 0, nil
	case size > int64(limit):
		return batch{}, 0, fmt.Errorf("a batch of %d bytes, the limit is %d: %w", size, limit, ErrTooLarge)
	}
	b = b[:size]
	if got, want := crc32.Checksum(b[atAttributes:], castagnoli), binary.BigEndian.Uint32(b[atCRC:]); got != want {
		return batch{}, 0, fmt.Errorf("CRC-32C %08x, the batch says %08x: %w", got, want, ErrCorrupt)
	}
	base := int64(binary.BigEndian.Uint64(b))
	delta := int64(int32(binary.BigEndian.Uint32(b[atLastDelta:])))
	count := int64(int32(binary.BigEndian.Uint32(b[atCount:])))
	// A compacted batch has fewer records than offsets.
	if base < 0 || delta < 0 || base > math.MaxInt64-1-delta || count < 0 || count > delta+1 {
		return batch{}, 0, fmt.Errorf("base offset %d, last offset delta %d, %d records: %w", base, delta, count, ErrCorrupt)
	}
	return batch{
		base: base, last: base + delta,
		baseTime:   int64(binary.BigEndian.Uint64(b[atBaseTime:])),
		maxTime:    int64(binary.BigEndian.Uint64(b[atMaxTime:])),
		producer:   int64(binary.BigEndian.Uint64(b[atProducer:])),
		count:      int(count),
		attributes: int16(binary.BigEndian.Uint16(b[atAttributes:])),
		records:    b[headerSize:],
	}, int(size), nil
}

// verify walks the decompressed records of a batch once, so that iterating
// over them later cannot fail.
func (b *batch) verify(records []byte) error {
	var r raw
	before, last := int64(-1), b.last-b.base
	for i := range b.count {
		var ok bool
		records, ok = r.parse(records)
		if !ok || !validHeaders(r.headers) {
			return fmt.Errorf("record %d of %d is malformed: %w", i+1, b.count, ErrCorrupt)
		}
		if r.offset <= before || r.offset > last {
			return fmt.Errorf("record %d of %d has offset delta %d after %d, at most %d: %w", i+1, b.count, r.offset, before, last, ErrCorrupt)
		}
		before = r.offset
	}
	if len(records) > 0 {
		return fmt.Errorf("%d bytes behind the last of %d records: %w", len(records), b.count, ErrCorrupt)
	}
	return nil
}

// abortMarker reports whether the records of a control batch end their
// producer's transaction as aborted. The key is a version and a type of two
// bytes each; compaction may have left no record.
func abortMarker(records []byte) bool {
	var r raw
	if len(records) == 0 {
		return false
	}
	_, ok := r.parse(records)
	return ok && len(r.key) >= 4 && binary.BigEndian.Uint16(r.key[2:]) == abortMarkerType
}
