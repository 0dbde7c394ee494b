package drift

import (
	"bytes"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// blockOf spells a block as ClickHouse does:
//
//	SELECT s, n, b, c, w FROM values('s String, n SimpleAggregateFunction(sum, UInt64),
//	b Array(Int32), c Array(UInt32), w Array(UInt64)', ('ab', 7, [1, -1], [3], []),
//	('', 8, [], [4, 5], [258])) FORMAT Native
func blockOf() []byte {
	number := "\x00\x00\x00\x00\x00\x00\x00"
	column := func(kind, data string) string { return "\x01x" + string(rune(len(kind))) + kind + data }
	return []byte("\x05\x02" +
		column("String", "\x02ab\x00") +
		column("SimpleAggregateFunction(sum, UInt64)", "\x07"+number+"\x08"+number) +
		column("Array(Int32)", "\x02"+number+"\x02"+number+"\x01\x00\x00\x00\xff\xff\xff\xff") +
		column("Array(UInt32)", "\x01"+number+"\x03"+number+"\x03\x00\x00\x00\x04\x00\x00\x00\x05\x00\x00\x00") +
		column("Array(UInt64)", "\x00"+number+"\x01"+number+"\x02\x01\x00\x00\x00\x00\x00\x00"))
}

// values are all columns of a block.
type values struct {
	texts        []string
	numbers      []uint64
	buckets      []int32
	counts       []uint32
	wide         []uint64
	ends, cs, ws []uint64
}

func (v *values) read(in *native) {
	v.texts, v.numbers = in.strings(v.texts), in.counts(v.numbers)
	v.buckets, v.ends = in.int32s(v.buckets, v.ends)
	v.counts, v.cs = in.uint32s(v.counts, v.cs)
	v.wide, v.ws = in.uint64s(v.wide, v.ws)
}

func TestNative(t *testing.T) {
	header := []byte("\x05\x00\x01x\x06String\x01y\x06String\x01z\x06String\x01u\x06String\x01v\x06String")
	in := newNative(bytes.NewReader(slices.Concat(header, blockOf(), []byte("\x00\x00"), blockOf())))
	want := values{[]string{"ab", ""}, []uint64{7, 8}, []int32{1, -1}, []uint32{3, 4, 5}, []uint64{258}, []uint64{2, 2}, []uint64{1, 3}, []uint64{0, 1}}
	var got values
	blocks := 0
	for in.next(5) {
		if got.read(in); in.err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v", got, in.err)
		}
		blocks++
	}
	if blocks != 2 || in.err != nil {
		t.Errorf("%d blocks, %v", blocks, in.err)
	}
	if parts := part(got.counts, got.cs, 1); !slices.Equal(parts, []uint32{4, 5}) {
		t.Errorf("the counts of the second row are %v", parts)
	}
}

// toldOf spells the same block as a server does that was told a version of the
// protocol: the fields about it first, and a byte after each column's type.
func toldOf(block []byte) []byte {
	told := []byte("\x01\x00\x02\xff\xff\xff\xff\x00")
	for _, kind := range []string{"String", "SimpleAggregateFunction(sum, UInt64)", "Array(Int32)", "Array(UInt32)", "Array(UInt64)"} {
		typed := append([]byte{byte(len(kind))}, kind...)
		block = bytes.Replace(block, typed, append(slices.Clone(typed), 0), 1)
	}
	return append(told, block...)
}

func TestNativeOfAServerThatWasToldAVersion(t *testing.T) {
	in := newNative(bytes.NewReader(slices.Concat(toldOf(blockOf()), toldOf([]byte("\x00\x00")), toldOf(blockOf()))))
	var got, want values
	plain := newNative(bytes.NewReader(blockOf()))
	plain.next(5)
	want.read(plain)
	blocks := 0
	for in.next(5) {
		if got.read(in); in.err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v, want %+v", got, in.err, want)
		}
		blocks++
	}
	if blocks != 2 || in.err != nil {
		t.Errorf("%d blocks, %v", blocks, in.err)
	}
	sparse := toldOf(blockOf())
	sparse[bytes.Index(sparse, []byte("String"))+len("String")] = 1
	if in = newNative(bytes.NewReader(sparse)); !in.next(5) {
		t.Fatal(in.err)
	}
	if got.read(in); in.err == nil {
		t.Error("a sparse column passes for a plain one")
	}
	if in = newNative(strings.NewReader("\x01\x00\x03")); in.next(5) || in.err == nil {
		t.Error("a field about a block that nobody knows is passed over")
	}
}

// An answer that ends within a block, or that is another one than was asked for,
// is never taken for a whole one.
func TestNativeThatIsNotWhole(t *testing.T) {
	whole := blockOf()
	for end := 1; end < len(whole); end++ {
		in := newNative(bytes.NewReader(whole[:end]))
		in.next(5)
		new(values).read(in)
		if !errors.Is(in.err, io.ErrUnexpectedEOF) || in.next(5) {
			t.Errorf("%d of %d bytes: %v", end, len(whole), in.err)
		}
	}
	for name, answer := range map[string]string{
		"a length of":              "\x05\xff\xff\xff\xff\xff\x7f",
		"a block of 4 columns":     "\x04\x01",
		`column "x" is Date`:       "\x05\x01\x01x\x04Date",
		"columns of a block":       "\x05\x01\x01x\x06String\x00",
		"an array that ends at 1 ": "\x05\x02\x01x\x0cArray(Int32)\x02\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00",
	} {
		in := newNative(strings.NewReader(answer))
		if in.next(5) {
			if strings.Contains(answer, "Array") {
				in.int32s(nil, nil)
			} else {
				in.strings(nil)
			}
			in.next(5)
		}
		if in.err == nil || !strings.Contains(in.err.Error(), name) {
			t.Errorf("%s: %v", name, in.err)
		}
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
			if err := add(&sum, h.Buckets, h.Counts); err != nil {
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
	if err := add(&edge, []int32{math.MinInt32, math.MaxInt32}, []uint64{1, 2}); err != nil || !slices.Equal(edge.histogram().Buckets, []int32{math.MinInt32, math.MaxInt32}) {
		t.Errorf("%v %+v", err, edge.histogram())
	}
	if add[uint64](&edge, []int32{1}, nil) == nil {
		t.Error("a histogram without counts is accepted")
	}
}

func FuzzNative(f *testing.F) {
	f.Add(blockOf())
	f.Add([]byte("\x05\xff\xff\xff\xff\x7f"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		in := newNative(bytes.NewReader(answer))
		var v values
		for in.next(5) {
			v.read(in)
			if in.err != nil {
				return
			}
			if len(v.texts)+8*len(v.numbers)+4*len(v.buckets)+4*len(v.counts)+8*len(v.wide) > len(answer) {
				t.Fatalf("%+v from %d bytes", v, len(answer))
			}
			for row := range v.texts {
				part(v.buckets, v.ends, row)
				part(v.wide, v.ws, row)
			}
		}
	})
}
