package ingest

// pairs interns pairs of 32-bit integers into small ones, in the order of
// their first appearance: an open-addressing table without an allocation an
// entry. The zero pairs is empty and ready.
type pairs struct {
	slots []int32 // identifier + 1, 0 is free
	keys  []uint64
	shift uint
}

// id returns the identifier of (a, b) and whether it is new.
func (p *pairs) id(a int32, b uint32) (int32, bool) {
	if 2*len(p.keys) >= len(p.slots) {
		p.grow()
	}
	key := uint64(uint32(a))<<32 | uint64(b)
	slot := p.find(key)
	if id := p.slots[slot] - 1; id >= 0 {
		return id, false
	}
	p.keys = append(p.keys, key)
	p.slots[slot] = int32(len(p.keys))
	return int32(len(p.keys)) - 1, true
}

func (p *pairs) has(a int32, b uint32) bool {
	if len(p.slots) == 0 {
		return false
	}
	return p.slots[p.find(uint64(uint32(a))<<32|uint64(b))] != 0
}

func (p *pairs) find(key uint64) uint64 {
	mask := uint64(len(p.slots) - 1)
	// Fibonacci hashing: the high bits of the product depend on every bit.
	slot := key * 0x9e3779b97f4a7c15 >> p.shift
	for {
		id := p.slots[slot] - 1
		if id < 0 || p.keys[id] == key {
			return slot
		}
		slot = (slot + 1) & mask
	}
}

func (p *pairs) grow() {
	size := max(64, 2*len(p.slots))
	p.slots = make([]int32, size)
	p.shift = 64
	for n := size; n > 1; n >>= 1 {
		p.shift--
	}
	for i, key := range p.keys {
		p.slots[p.find(key)] = int32(i) + 1
	}
}

func (p *pairs) len() int { return len(p.keys) }

// at returns the pair of an identifier.
func (p *pairs) at(id int32) (a int32, b uint32) {
	key := p.keys[id]
	return int32(key >> 32), uint32(key)
}

func (p *pairs) reset() {
	clear(p.slots)
	p.keys = p.keys[:0]
}
