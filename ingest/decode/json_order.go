package decode

import "encoding/binary"

// keyOrder remembers which key stood at each position of the objects before, as
// raw text with its quotes and colon: `"key":`. The next object mostly has the
// same, which one comparison tells, without looking for the key's end.
type keyOrder struct {
	raw  []byte
	keys []orderedKey
}

// orderedKey is the key of one position: size bytes of raw, 0 if there is none,
// and what the caller knows it by. Its first and last eight bytes tell most keys
// without a call; of a shorter one first holds all, and mask says which bytes.
type orderedKey struct {
	first, mask, last uint64
	from, size        int32
	id                int32
}

// maxOrder bounds raw, in bytes, which grows with every key that stands where
// another stood.
const maxOrder = 64 << 10

func (o *keyOrder) forget() { o.raw, o.keys = o.raw[:0], o.keys[:0] }

// match passes over the key that the scanner stands at, if it is the one that
// was learned for the position, and returns its size with quotes and colon; 0 if
// it is another.
func (o *keyOrder) match(s *scanner, position int) (id int32, size int) {
	if position >= len(o.keys) {
		return 0, 0
	}
	k := &o.keys[position]
	size = int(k.size)
	here := s.b[s.i:]
	if size == 0 || len(here) < size || len(here) < 8 || binary.LittleEndian.Uint64(here)&k.mask != k.first {
		return 0, 0
	}
	if size > 8 && binary.LittleEndian.Uint64(here[size-8:]) != k.last {
		return 0, 0
	}
	if size > 16 && string(here[8:size-8]) != string(o.raw[k.from+8:k.from+k.size-8]) {
		return 0, 0
	}
	s.i += size
	return k.id, size
}

// learn keeps the key of a position, unless it needs escapes in JSON.
func (o *keyOrder) learn(position int, id int32, key []byte) {
	if len(o.raw)+len(key) > maxOrder {
		o.forget()
	}
	for position >= len(o.keys) {
		o.keys = append(o.keys, orderedKey{})
	}
	k := &o.keys[position]
	*k = orderedKey{id: id, from: int32(len(o.raw))}
	if !isPlain(key) {
		return
	}
	o.raw = append(o.raw, '"')
	o.raw = append(o.raw, key...)
	o.raw = append(o.raw, '"', ':')
	raw := o.raw[k.from:]
	k.size = int32(len(raw))
	for i, c := range raw[:min(8, len(raw))] {
		k.first |= uint64(c) << (8 * i)
		k.mask |= 0xFF << (8 * i)
	}
	if len(raw) > 8 {
		k.last = binary.LittleEndian.Uint64(raw[len(raw)-8:])
	}
}

// isPlain reports whether a name stands in JSON as it is.
func isPlain(name []byte) bool {
	for _, c := range name {
		if c < 0x20 || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
