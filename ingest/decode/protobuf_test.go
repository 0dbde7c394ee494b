package decode

import (
	"encoding/binary"
	"fmt"
	"math"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
)

func protoText_(w []byte, n protowire.Number, s string) []byte {
	return protowire.AppendString(protowire.AppendTag(w, n, protowire.BytesType), s)
}

func protoNumber(w []byte, n protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(w, n, protowire.Fixed64Type), math.Float64bits(v))
}

func protoEvents(n int) [][]byte {
	var all [][]byte
	for i := range n {
		var w []byte
		w = protoText_(w, 1, fmt.Sprintf("prediction-%08d", i))
		w = protoText_(w, 2, "flight-delay")
		w = protoText_(w, 3, "3f9c2a7d10b4")
		w = protowire.AppendVarint(protowire.AppendTag(w, 4, protowire.VarintType), uint64(testKnown+i))
		for k := range 20 {
			entry := protoNumber(protoText_(nil, 1, fmt.Sprintf("n%d", k)), 2, float64(i*31+k)/7)
			w = protowire.AppendBytes(protowire.AppendTag(w, 6, protowire.BytesType), entry)
		}
		for k, v := range []string{"ATL", "AA", fmt.Sprintf("B%d", i%40)} {
			entry := protoText_(protoText_(nil, 1, fmt.Sprintf("c%d", k)), 2, v)
			w = protowire.AppendBytes(protowire.AppendTag(w, 7, protowire.BytesType), entry)
		}
		w = protoNumber(w, 11, 0.25)
		all = append(all, protoNumber(w, 15, 12.5))
	}
	return all
}

func BenchmarkProtobuf(b *testing.B) {
	d, into := openTest(b, Source{Format: FormatProtobuf})
	benchDecoder(b, d, into, protoEvents(4096))
}

var _ = binary.LittleEndian
