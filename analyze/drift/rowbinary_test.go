package drift

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// rowOf spells a row as ClickHouse does: SELECT 'ab', toUInt64(7), [1, -1]::Array(Int32),
// [258]::Array(UInt64) FORMAT RowBinary.
func rowOf() []byte {
	return []byte("\x02ab" + "\x07\x00\x00\x00\x00\x00\x00\x00" + "\x02\x01\x00\x00\x00\xff\xff\xff\xff" + "\x01\x02\x01\x00\x00\x00\x00\x00\x00")
}

func TestBinaryRows(t *testing.T) {
	rows := newBinaryRows(bytes.NewReader(append(rowOf(), rowOf()...)))
	n := 0
	for rows.next() {
		text, number := rows.string(), rows.uint64()
		buckets, counts := rows.int32s(nil), rows.uint64s(nil)
		if rows.err != nil || text != "ab" || number != 7 || !slices.Equal(buckets, []int32{1, -1}) || !slices.Equal(counts, []uint64{258}) {
			t.Errorf("%q %d %v %v %v", text, number, buckets, counts, rows.err)
		}
		n++
	}
	if n != 2 || rows.err != nil {
		t.Errorf("%d rows, %v", n, rows.err)
	}
}

// An answer that ends within a row is never taken for a whole one.
func TestBinaryRowsThatEndEarly(t *testing.T) {
	whole := rowOf()
	for end := 1; end < len(whole); end++ {
		rows := newBinaryRows(bytes.NewReader(whole[:end]))
		rows.next()
		rows.string()
		rows.uint64()
		rows.int32s(nil)
		rows.uint64s(nil)
		if !errors.Is(rows.err, io.ErrUnexpectedEOF) || rows.next() {
			t.Errorf("%d of %d bytes: %v", end, len(whole), rows.err)
		}
	}
	rows := newBinaryRows(bytes.NewReader(binary.AppendUvarint(nil, 1<<40)))
	if rows.string(); rows.err == nil || !strings.Contains(rows.err.Error(), "length") {
		t.Errorf("a string of a terabyte: %v", rows.err)
	}
}

// The sum of histograms does not depend on how they were cut.
func TestAdderIsMerge(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		var (
			sum adder
			all Histogram
		)
		for range 1 + random.IntN(5) {
			h := Histogram{}
			for b := int32(random.IntN(3000) - 1500); random.IntN(40) > 0; b += 1 + int32(random.IntN(200)) {
				h.push(b, random.Uint64N(10))
			}
			if err := sum.add(h.Buckets, h.Counts); err != nil {
				t.Fatal(err)
			}
			all = all.Merge(h)
		}
		var filled Histogram
		for i, n := range all.Counts {
			if n > 0 {
				filled.push(all.Buckets[i], n)
			}
		}
		if got := sum.histogram(); !slices.Equal(got.Buckets, filled.Buckets) || !slices.Equal(got.Counts, filled.Counts) {
			t.Fatalf("%+v, want %+v", got, filled)
		}
	}
	var edge adder
	if err := edge.add([]int32{math.MinInt32, math.MaxInt32}, []uint64{1, 2}); err != nil || !slices.Equal(edge.histogram().Buckets, []int32{math.MinInt32, math.MaxInt32}) {
		t.Errorf("%v %+v", err, edge.histogram())
	}
	if edge.add([]int32{1}, nil) == nil {
		t.Error("a histogram without counts is accepted")
	}
}

func FuzzBinaryRows(f *testing.F) {
	f.Add(rowOf())
	f.Add([]byte("\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		rows := newBinaryRows(bytes.NewReader(answer))
		var buckets []int32
		for rows.next() {
			rows.string()
			rows.uint64()
			buckets = rows.int32s(buckets[:0])
			rows.uint64s(nil)
		}
		if 4*len(buckets) > len(answer)+4 && rows.err == nil {
			t.Fatalf("%d buckets from %d bytes", len(buckets), len(answer))
		}
	})
}
