package privacy

import (
	"encoding/binary"
	"errors"
)

// SealedHeader is the header of a dead letter whose value is sealed contents: it
// names the key.
const SealedHeader = "plumbline.sealed"

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Contents are what may be personal in a dead letter: all of the refused record.
type Contents struct {
	Key, Value []byte
	Headers    []Header
}

// SealContents encrypts the contents of a record under the newest key in use at
// its Kafka timestamp and returns the key's name.
func (k Keys) SealContents(known int64, c Contents) (id string, sealed []byte, err error) {
	text := appendField(appendField(nil, c.Key), c.Value)
	for _, h := range c.Headers {
		text = appendField(appendField(text, []byte(h.Key)), h.Value)
	}
	return k.Seal(known, text)
}

// OpenContents decrypts what SealContents has made.
func (k Keys) OpenContents(id string, sealed []byte) (c Contents, err error) {
	text, err := k.Open(id, sealed)
	if err != nil {
		return c, err
	}
	var fields [][]byte
	for len(text) > 0 {
		size, n := binary.Uvarint(text)
		if n <= 0 || size > uint64(len(text)-n) {
			return c, errors.New("open: what was sealed is not the contents of a record")
		}
		var field []byte // none and empty are sealed alike, and opened as none
		if size > 0 {
			field = text[n : n+int(size)]
		}
		fields, text = append(fields, field), text[n+int(size):]
	}
	if len(fields) < 2 || len(fields)%2 != 0 {
		return c, errors.New("open: what was sealed is not the contents of a record")
	}
	c.Key, c.Value = fields[0], fields[1]
	for i := 2; i < len(fields); i += 2 {
		c.Headers = append(c.Headers, Header{string(fields[i]), fields[i+1]})
	}
	return c, nil
}

func appendField(b, field []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(field))), field...)
}
