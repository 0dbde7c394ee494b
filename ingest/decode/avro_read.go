package decode

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"
)

// maxDecimal bounds the bytes and the scale of a decimal.
const maxDecimal = 128

// avroReader reads Avro's binary encoding. Every length is checked against what
// is left.
type avroReader struct {
	b []byte
	i int
}

func cutShort() *Error {
	return bad(Unparsable, "the bytes end before the schema does; write the event with the schema that its id names")
}

func misread(what string) *Error {
	return bad(Unparsable, what+"; write the event with the schema that its id names")
}

// long reads a zigzag varint.
func (r *avroReader) long() (int64, bool) {
	if r.i < len(r.b) && r.b[r.i] < 0x80 {
		c := int64(r.b[r.i])
		r.i++
		return c>>1 ^ -(c & 1), true
	}
	return r.longer()
}

// longer reads a varint of several bytes; one of more than 64 bits is none.
func (r *avroReader) longer() (int64, bool) {
	if len(r.b)-r.i >= 8 {
		// Up to 8 bytes at once: those behind the first without its high bit are cut
		// off, and the groups of 7 bits move together.
		w := binary.LittleEndian.Uint64(r.b[r.i:])
		if ends := ^w & 0x8080808080808080; ends != 0 {
			r.i += bits.TrailingZeros64(ends)/8 + 1
			w &= ends ^ (ends - 1)
			w = w&0x007f007f007f007f | w&0x7f007f007f007f00>>1
			w = w&0x00003fff00003fff | w&0x3fff00003fff0000>>2
			w = w&0x000000000fffffff | w&0x0fffffff00000000>>4
			return int64(w>>1) ^ -int64(w&1), true
		}
	}
	v, n := binary.Uvarint(r.b[r.i:])
	if n <= 0 {
		return 0, false
	}
	r.i += n
	return int64(v>>1) ^ -int64(v&1), true
}

// branch reads the index of a union's branch or of an enum's symbol.
func (r *avroReader) branch(n int) (int, *Error) {
	v, ok := r.long()
	if !ok {
		return 0, cutShort()
	}
	if v < 0 || v >= int64(n) {
		return 0, misread("a union or enum has no branch or symbol " + strconv.FormatInt(v, 10))
	}
	return int(v), nil
}

// bytes reads bytes behind their length.
func (r *avroReader) bytes() ([]byte, *Error) {
	var n int64
	if r.i < len(r.b) && r.b[r.i] < 0x80 && r.b[r.i]&1 == 0 {
		n = int64(r.b[r.i] >> 1)
		r.i++
	} else {
		var ok bool
		if n, ok = r.longer(); !ok || n < 0 {
			return nil, cutShort()
		}
	}
	if n > int64(len(r.b)-r.i) {
		return nil, cutShort()
	}
	from := r.i
	r.i += int(n)
	return r.b[from:r.i:r.i], nil
}

// take reads n bytes.
func (r *avroReader) take(n int) ([]byte, *Error) {
	if n > len(r.b)-r.i {
		return nil, cutShort()
	}
	from := r.i
	r.i += n
	return r.b[from:r.i:r.i], nil
}

// block reads the head of a block of an array or map: its number of items, 0 at
// the end. A negative number is followed by the size of the block in bytes, or
// -1 is returned as the size.
func (r *avroReader) block() (items, size int64, err *Error) {
	items, ok := r.long()
	if !ok {
		return 0, 0, cutShort()
	}
	if items >= 0 {
		return items, -1, nil
	}
	if items == math.MinInt64 {
		return 0, 0, misread("a block has no possible number of items")
	}
	if size, ok = r.long(); !ok || size < 0 || size > int64(len(r.b)-r.i) {
		return 0, 0, cutShort()
	}
	return -items, size, nil
}

// skip reads past the values of steps that the compiler's skip made.
func (r *avroReader) skip(steps []avroStep) *Error {
	for k := range steps {
		if err := r.skipOne(&steps[k]); err != nil {
			return err
		}
	}
	return nil
}

func (r *avroReader) skipOne(s *avroStep) (err *Error) {
	switch s.code {
	case skipVarint:
		if _, ok := r.long(); !ok {
			err = cutShort()
		}
	case skipBytes:
		_, err = r.bytes()
	case skipSize:
		_, err = r.take(s.size)
	case skipUnion:
		var b int
		if b, err = r.branch(len(s.unions)); err == nil {
			err = r.skip(s.unions[b])
		}
	case skipArray, skipMap:
		err = r.skipBlocks(s)
	}
	return err
}

func (r *avroReader) skipBlocks(s *avroStep) *Error {
	for {
		items, size, err := r.block()
		if err != nil || items == 0 {
			return err
		}
		if size >= 0 {
			r.i += int(size)
			continue
		}
		if len(s.steps) == 0 && s.code == skipArray {
			continue // items without bytes
		}
		if items > int64(len(r.b)-r.i) {
			return cutShort()
		}
		for range items {
			if s.code == skipMap {
				if _, err := r.bytes(); err != nil {
					return err
				}
			}
			if err := r.skip(s.steps); err != nil {
				return err
			}
		}
	}
}

// decimal returns a big-endian two's complement number over a power of ten,
// rounded to the nearest float64.
func decimal(b []byte, scale int) (float64, *Error) {
	if len(b) > maxDecimal {
		return 0, bad(BadValue, "the decimal has more than 128 bytes")
	}
	if scale < len(exactPowers) && len(b) <= 8 {
		v := int64(0)
		if len(b) > 0 && b[0]&0x80 != 0 {
			v = -1
		}
		for _, c := range b {
			v = v<<8 | int64(c)
		}
		if v >= -1<<53 && v <= 1<<53 {
			return float64(v) / exactPowers[scale], nil
		}
	}
	v := new(big.Int).SetBytes(b)
	if len(b) > 0 && b[0]&0x80 != 0 {
		v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(b))))
	}
	return parse(append(v.Append(nil, 10), "e-"+strconv.Itoa(scale)...))
}
