// Package grid maps float64 values to the one fixed, data-independent grid on
// which every numeric series is counted, so that any window against any
// reference is a merge of counts.
//
// A bucket is the sign, the exponent and the first mantissa bits of the
// float64, made order-preserving, as an int32. Buckets of non-negative values
// are half-open above: bucket b >= 0 holds [Lower(b), Lower(b+1)). Negative
// values mirror them: they are half-open below, so that x and -x always lie in
// mirrored buckets. -0 counts as +0. NaN and infinities have no bucket; their
// counts stand beside the grid.
//
// The package knows nothing of tables or models and imports nothing of ours.
// SQLBucket is the same mapping in ClickHouse SQL, bit for bit.
package grid

import (
	"fmt"
	"math"
)

// Version names a grid: what is counted on one is never merged with another.
type Version string

// The grids in use.
const (
	// Full has 8 bits of mantissa: buckets 0.4 % wide, integers up to 511 exact.
	Full Version = "f8"
	// Coarse has 5 bits: 3.1 % wide. Each coarse bucket is eight full ones.
	Coarse Version = "f5"
	// FullOdds counts p in [0, 1] by its odds p/(1-p) with 8 bits: steps of at
	// most 0.004 in the logit of p. Odds need one division, which IEEE 754
	// rounds the same way in Go and in SQL; a logarithm would not be.
	FullOdds Version = "o8"
	// CoarseOdds is FullOdds with 5 bits.
	CoarseOdds Version = "o5"
	// None is the version of series that only count.
	None Version = ""
)

const (
	mantissaBits = 52
	fullBits     = 8
	coarseBits   = 5
	fullShift    = mantissaBits - fullBits
	// CoarseShift is the number of bits that Coarse drops from a Full bucket.
	CoarseShift = fullBits - coarseBits
	signMask    = 1 << 63
)

// Bucket returns the bucket of a finite v on Full. Infinities and NaN have
// none; the caller counts them apart.
func Bucket(v float64) int32 {
	bits := math.Float64bits(v)
	magnitude := int32((bits &^ signMask) >> fullShift)
	if bits&signMask == 0 || v == 0 {
		return magnitude
	}
	// -(m+1), so that the least negative bucket is -1 and order is kept.
	return ^magnitude
}

// ToCoarse returns the Coarse bucket that holds the Full bucket b.
func ToCoarse(b int32) int32 { return b >> CoarseShift }

// Odds returns p/(1-p), the value under which a probability is counted on the
// odds grids: 0 for p = 0, +Inf for p = 1. p must lie in [0, 1].
func Odds(p float64) float64 { return p / (1 - p) }

// OddsBucket returns the bucket of a probability on FullOdds. p = 1 has odds of
// +Inf and gets the bucket above every finite one.
func OddsBucket(p float64) int32 {
	return int32((math.Float64bits(Odds(p)) &^ signMask) >> fullShift)
}

// Lower returns the least value of a non-negative bucket on Full, and for a
// negative bucket the value of least magnitude, which it includes.
func Lower(b int32) float64 {
	if b >= 0 {
		return math.Float64frombits(uint64(b) << fullShift)
	}
	return -math.Float64frombits(uint64(^b) << fullShift)
}

// Edge returns the boundary between bucket b-1 and b on Full, as a value in the
// order of the reals: every value of bucket b-1 or below is <= Edge(b), every
// value of bucket b or above is >= Edge(b).
func Edge(b int32) float64 {
	if b >= 0 {
		return math.Float64frombits(uint64(b) << fullShift)
	}
	return -math.Float64frombits(uint64(-b) << fullShift)
}

// SQLBucket returns the ClickHouse expression that computes Bucket of the
// Float64 expression expr, which it repeats.
func SQLBucket(expr string) string {
	return fmt.Sprintf("toInt32(if(%[1]s >= 0, toInt64(bitShiftRight(reinterpretAsUInt64(abs(%[1]s)), %[2]d)), -1 - toInt64(bitShiftRight(reinterpretAsUInt64(abs(%[1]s)), %[2]d))))", expr, fullShift)
}

// SQLCoarse returns the ClickHouse expression of ToCoarse over an Int32
// expression. intDiv truncates, so the shift is spelled as a floor.
func SQLCoarse(bucket string) string {
	return fmt.Sprintf("toInt32(floor(%s / %d))", bucket, 1<<CoarseShift)
}
