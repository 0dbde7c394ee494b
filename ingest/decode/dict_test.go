package decode

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"
)

// A Dict answers as a map does, whatever was looked up, taken back or forgotten
// before: short and long texts, texts that share their ends, and one text many
// times in a row.
func TestDictIsAMap(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 1))
	texts := [][]byte{nil}
	for size := 1; size < 40; size++ {
		for range 12 {
			b := bytes.Repeat([]byte("x"), size)
			b[r.IntN(size)] = byte('a' + r.IntN(3)) // two may be equal
			texts = append(texts, b)
		}
	}
	for i := range 600 { // more than are remembered
		texts = append(texts, fmt.Appendf(nil, "v%d", i))
	}
	var d Dict
	want, order := map[string]int32{}, []string{}
	for i := range 60_000 {
		switch r.IntN(400) {
		case 0:
			d.Reset()
			want, order = map[string]int32{}, nil
		case 1, 2:
			n := r.IntN(len(order) + 1)
			for _, gone := range order[n:] {
				delete(want, gone)
			}
			order = order[:n]
			d.Truncate(n)
		}
		b := texts[r.IntN(len(texts))]
		if r.IntN(2) == 0 { // from few, so that they repeat
			b = texts[i/500%len(texts)]
		}
		id, have := want[string(b)]
		if found, ok := d.recent(b); ok && (!have || found != id) {
			t.Fatalf("step %d: %q is remembered as %d, want %d, %v", i, b, found, id, have)
		}
		if !have {
			id = int32(len(order))
			want[string(b)], order = id, append(order, string(b))
		}
		look := d.ID
		if r.IntN(2) == 0 {
			look = d.again
		}
		if got := look(b); got != id || string(d.Value(got)) != string(b) || d.Len() != len(order) {
			t.Fatalf("step %d: %q is %d of %d, want %d of %d", i, b, got, d.Len(), id, len(order))
		}
	}
}

// Varints of all sizes, whole and cut, read as encoding/binary reads them.
func TestAvroVarints(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 2))
	for range 20_000 {
		b := binary.AppendVarint(nil, r.Int64()>>r.IntN(64)*int64(1-2*r.IntN(2)))
		switch r.IntN(6) {
		case 0:
			b = b[:r.IntN(len(b))]
		case 1: // longer than it need be, or too long
			b[len(b)-1] |= 0x80
			b = append(b, bytes.Repeat([]byte{0x80}, r.IntN(6))...)
			b = append(b, byte(r.IntN(2)))
		}
		want, n := binary.Varint(b)
		for _, behind := range []string{"", "\xff\xff\xff", "\x00\x01\x80\xff\x7f\x80\x80\x80\x80"} {
			if n <= 0 && behind != "" {
				continue
			}
			reader := avroReader{b: append(b[:len(b):len(b)], behind...)}
			got, ok := reader.long()
			if ok != (n > 0) || ok && (got != want || reader.i != n) {
				t.Fatalf("%x before %x: %d, %v at %d, want %d at %d", b, behind, got, ok, reader.i, want, n)
			}
		}
	}
}
