package ingest

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// sumScale is the fixed-point scale of sums: units of 1e-9.
const sumScale = 1e9

// sumLimit is the largest magnitude that enters a sum. Scaled it stays below
// 2^90, so that those of 2^37 requests fit an Int128, however many requests an
// event stands for; larger values count as infinite.
const sumLimit = 1e18

// int128 is a two's complement 128-bit integer. Integer sums do not depend on
// the order in which rows merge; floating sums would.
type int128 struct {
	hi int64
	lo uint64
}

// nano returns v in units of 1e-9, rounded half to even. The product is rounded
// to a float64 first (the conversion forbids a fused multiply-add), as the SQL
// of the verification does.
func nano(v float64) int128 {
	r := math.RoundToEven(float64(v * sumScale))
	if math.Abs(r) < 1<<63 {
		n := int64(r)
		return int128{hi: n >> 63, lo: uint64(n)}
	}
	pattern := math.Float64bits(r)
	mantissa := pattern&(1<<52-1) | 1<<52
	shift := uint(pattern>>52&0x7ff) - 1075 // r = mantissa x 2^shift, shift >= 11
	n := int128{lo: mantissa << shift, hi: int64(mantissa >> (64 - shift))}
	if shift >= 64 {
		n = int128{hi: int64(mantissa << (shift - 64))}
	}
	if r < 0 {
		n = n.negate()
	}
	return n
}

func (a int128) add(b int128) int128 {
	lo, carry := bits.Add64(a.lo, b.lo, 0)
	hi, _ := bits.Add64(uint64(a.hi), uint64(b.hi), carry)
	return int128{hi: int64(hi), lo: lo}
}

// times returns a x n, which must fit.
func (a int128) times(n uint64) int128 {
	hi, lo := bits.Mul64(a.lo, n)
	return int128{hi: int64(hi) + a.hi*int64(n), lo: lo}
}

func (a int128) negate() int128 {
	lo, borrow := bits.Sub64(0, a.lo, 0)
	hi, _ := bits.Sub64(0, uint64(a.hi), borrow)
	return int128{hi: int64(hi), lo: lo}
}

// appendTo appends the sixteen bytes of ClickHouse's Int128, little endian.
func (a int128) appendTo(b []byte) []byte {
	b = binary.LittleEndian.AppendUint64(b, a.lo)
	return binary.LittleEndian.AppendUint64(b, uint64(a.hi))
}
