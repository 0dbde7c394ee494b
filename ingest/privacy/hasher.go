package privacy

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"math"
)

// hasher is Key.Hash for one goroutine: without an allocation a value, and with
// the keys in use looked up once for all timestamps between two changes of them.
type hasher struct {
	macs map[string]hash.Hash // by key name
	keys Keys

	live        []liveKey
	from, until int64 // in which live holds; empty at first
	sum, out    []byte
}

type liveKey struct {
	id  string
	mac hash.Hash
}

func newHasher(keys Keys) *hasher {
	h := &hasher{keys: keys, macs: map[string]hash.Hash{}}
	for _, k := range keys {
		h.macs[k.ID] = hmac.New(sha256.New, k.hash)
	}
	return h
}

// at returns the keys in use at a Kafka timestamp, the newest first.
func (h *hasher) at(known int64) []liveKey {
	if h.from <= known && known < h.until {
		return h.live
	}
	h.from, h.until = math.MinInt64, math.MaxInt64
	for _, k := range h.keys {
		for _, change := range []int64{k.From, k.Until} {
			if change <= known {
				h.from = max(h.from, change)
			} else {
				h.until = min(h.until, change)
			}
		}
	}
	h.live = h.live[:0]
	for _, k := range h.keys.at(known) {
		h.live = append(h.live, liveKey{k.ID, h.macs[k.ID]})
	}
	return h.live
}

// hash is Key.Hash; the result is valid until the next one.
func (h *hasher) hash(key liveKey, value []byte) []byte {
	key.mac.Reset()
	key.mac.Write(value)
	h.sum = key.mac.Sum(h.sum[:0])
	h.out = append(append(h.out[:0], key.id...), ':')
	h.out = hex.AppendEncode(h.out, h.sum[:hashLength])
	return h.out
}
