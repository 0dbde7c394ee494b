package ingesthttp

import (
	"bytes"
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"strings"

	"github.com/plumbline-slo/plumbline/ingest/secrets"
)

// minToken is the shortest token in bytes: 16 random bytes in any usual
// spelling are longer.
const minToken = 16

// tokens are the digests of the tokens that are let in. Digests have one
// length, so that comparing them says nothing of the tokens' lengths.
type tokens [][sha256.Size]byte

func readTokens(path string) (tokens, error) {
	text, err := secrets.Read("token_file", path)
	if err != nil {
		return nil, err
	}
	known, err := parseTokens(text)
	if err != nil {
		return nil, fmt.Errorf("token_file: %s: %w", path, err)
	}
	return known, nil
}

// parseTokens never puts a token into an error.
func parseTokens(text []byte) (tokens, error) {
	var known tokens
	line := 0
	for raw := range bytes.Lines(text) {
		line++
		token := bytes.TrimSpace(raw)
		if len(token) == 0 || token[0] == '#' {
			continue
		}
		if len(token) < minToken {
			return nil, fmt.Errorf("line %d: the token is shorter than %d bytes; openssl rand -hex 32 makes one", line, minToken)
		}
		for _, c := range token {
			if c <= ' ' || c > '~' {
				return nil, fmt.Errorf("line %d: the token holds a byte that no header can carry; openssl rand -hex 32 makes one", line)
			}
		}
		known = append(known, sha256.Sum256(token))
	}
	if len(known) == 0 {
		return nil, fmt.Errorf("it holds no token; openssl rand -hex 32 makes one")
	}
	return known, nil
}

// allow reports whether an Authorization header carries a known token. How long
// it takes depends on the number of tokens, not on what they are.
func (t tokens) allow(authorization string) bool {
	scheme, token, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return false
	}
	given := sha256.Sum256([]byte(strings.TrimSpace(token)))
	same := 0
	for i := range t {
		same |= subtle.ConstantTimeCompare(t[i][:], given[:])
	}
	return same == 1
}
