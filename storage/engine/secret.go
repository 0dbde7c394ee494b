package engine

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"strings"
)

// credentials of one user.
type credentials struct{ Name, Password string }

// matches compares in constant time.
func (c credentials) matches(name, password string) bool {
	return subtle.ConstantTimeCompare([]byte(c.Name), []byte(name))&subtle.ConstantTimeCompare([]byte(c.Password), []byte(password)) == 1
}

// randomHex returns n random bytes in hexadecimal.
func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails, see crypto/rand
	return hex.EncodeToString(b)
}

func quoteString(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer(`\`, `\\`, "`", "\\`").Replace(s) + "`"
}
