package decode

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// plainASCII reports whether text holds only the bytes 1 to 127, a word at a
// time.
func plainASCII(text []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(text) >= 8; text = text[8:] {
		// A byte of 0 borrows, and so sets a highest bit.
		if w := binary.LittleEndian.Uint64(text); (w|(w-ones))&high != 0 {
			return false
		}
	}
	for _, c := range text {
		if c-1 >= utf8.RuneSelf-1 {
			return false
		}
	}
	return true
}

// clean reports whether text is UTF-8 without NUL.
func clean(text []byte) bool {
	return plainASCII(text) || utf8.Valid(text) && bytes.IndexByte(text, 0) < 0
}
