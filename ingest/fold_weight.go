package ingest

import (
	"math"

	"github.com/cespare/xxhash/v2"
)

// maxRequests is the most that one row may stand for; the decoders refuse more.
const maxRequests = 1e9

// requests returns the whole number of requests that a row stands for: its
// weight rounded up or down by a coin that the prediction's id tosses. Rounded
// up with the probability of the weight's fraction, the counts of many rows are
// right on average, they are integers, and they come out the same whenever they
// are counted again; plumbline.RequestsSQL is the same coin in ClickHouse.
func requests(weight float64, id []byte) uint64 {
	if !(weight > 1) { // rows of older versions too: a row stands for itself at least
		return 1
	}
	weight = min(weight, maxRequests)
	whole := math.Floor(weight)
	// A float64 of 1 or more is a multiple of 2^-52, so this is a whole number.
	chance := uint64((weight - whole) * (1 << 64))
	if chance != 0 && coin(id) < chance {
		whole++
	}
	return uint64(whole)
}

// coin is uniform over the ids. The multiplication by an odd number is for
// producers that choose what they send by the same hash of the id: the hashes
// of those ids are small, their coins are not.
func coin(id []byte) uint64 { return xxhash.Sum64(id) * 0x9e3779b97f4a7c15 }
