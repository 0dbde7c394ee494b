package privacy

import (
	"bufio"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/secrets"
)

// Key is one key of hashes and seals.
type Key struct {
	// ID names the key in every hash that was made with it.
	ID string
	// From and Until bound the Kafka timestamps, in Unix milliseconds, at which
	// it is in use: From is included, Until is not.
	From, Until int64

	hash, seal []byte
}

// Keys are the keys of a file, in the order of From.
type Keys []Key

// leastSecret is the least length of a secret in bytes.
const leastSecret = 32

var keyName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,32}$`)

// ReadKeys reads a file of keys. A line is NAME SECRET [FROM [UNTIL]]: a name of
// letters, digits, - and _; a secret of at least 32 characters; and the RFC 3339
// times from which and until which the key is in use, by default for ever. Empty
// lines and lines that begin with # are skipped.
//
// To rotate, add a key whose FROM is some time ahead, and give the old one an
// UNTIL later than that by at least the time labels take: as long as both are in
// use, values are stored under both names, so that what was hashed before can be
// joined with what is hashed after, and a label finds its prediction under
// either. A key whose UNTIL has passed may be removed when no letter sealed with
// it is needed any more.
func ReadKeys(path string) (Keys, error) {
	text, err := secrets.Read("privacy keys", path)
	if err != nil {
		return nil, err
	}
	keys, err := parseKeys(text)
	if err != nil {
		return nil, fmt.Errorf("privacy keys: %s:%w", path, err)
	}
	return keys, nil
}

// parseKeys reads the lines; its error begins with the line's number.
func parseKeys(text []byte) (Keys, error) {
	var keys Keys
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, err := parseKey(strings.Fields(line))
		if err != nil {
			return nil, fmt.Errorf("%d: %w", n, err)
		}
		for _, k := range keys {
			if k.ID == key.ID {
				return nil, fmt.Errorf("%d: the name %s stands twice", n, key.ID)
			}
			if key.From <= k.From {
				return nil, fmt.Errorf("%d: begins no later than the key before it; put keys in the order of their FROM", n)
			}
		}
		keys = append(keys, key)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("0: %w", err)
	}
	if len(keys) == 0 {
		return nil, errors.New("1: holds no key; write NAME SECRET, for example with openssl rand -hex 32")
	}
	return keys, nil
}

func parseKey(fields []string) (Key, error) {
	if len(fields) < 2 || len(fields) > 4 {
		return Key{}, errors.New("write NAME SECRET [FROM [UNTIL]]")
	}
	key := Key{ID: fields[0], From: math.MinInt64, Until: math.MaxInt64}
	if !keyName.MatchString(key.ID) {
		return Key{}, errors.New("a name has 1 to 32 letters, digits, - and _")
	}
	if len(fields[1]) < leastSecret {
		return Key{}, fmt.Errorf("the secret of %s is shorter than %d characters", key.ID, leastSecret)
	}
	for i, into := range []*int64{&key.From, &key.Until} {
		if len(fields) > i+2 {
			at, err := time.Parse(time.RFC3339, fields[i+2])
			if err != nil {
				return Key{}, fmt.Errorf("%q is no RFC 3339 time", fields[i+2])
			}
			*into = at.UnixMilli()
		}
	}
	if key.Until <= key.From {
		return Key{}, fmt.Errorf("UNTIL of %s is not after its FROM", key.ID)
	}
	var err1, err2 error
	// One secret serves two purposes: each gets a key of its own (RFC 5869).
	key.hash, err1 = hkdf.Key(sha256.New, []byte(fields[1]), nil, "plumbline value hash", sha256.Size)
	key.seal, err2 = hkdf.Key(sha256.New, []byte(fields[1]), nil, "plumbline dead letter seal", sha256.Size)
	return key, errors.Join(err1, err2)
}

// at returns the keys in use at a Kafka timestamp, the newest first. If none is,
// it is the last one that began, or the first of all: a value is never stored as
// it is because somebody miscounted days.
func (k Keys) at(known int64) Keys {
	var live Keys
	for i := len(k) - 1; i >= 0; i-- {
		if k[i].From <= known && known < k[i].Until {
			live = append(live, k[i])
		}
	}
	if len(live) > 0 {
		return live
	}
	for i := len(k) - 1; i >= 0; i-- {
		if k[i].From <= known || i == 0 {
			return k[i : i+1]
		}
	}
	return nil
}

// hashLength is the number of bytes of an HMAC that are kept: 128 bits.
const hashLength = 16

// Hash returns NAME:HEX, the first 128 bits of the value's HMAC-SHA-256 (RFC
// 2104) behind the key's name. Equal values of any feature and model have equal
// hashes under one key, so that they can be joined.
func (k Key) Hash(value []byte) []byte {
	mac := hmac.New(sha256.New, k.hash)
	mac.Write(value)
	sum := mac.Sum(nil)
	out := append([]byte(k.ID), ':')
	return hex.AppendEncode(out, sum[:hashLength])
}

// Hashes returns the value's hash under every key: what a search for it must
// look for.
func (k Keys) Hashes(value []byte) []string {
	var all []string
	for _, key := range k {
		all = append(all, string(key.Hash(value)))
	}
	return all
}

// Seal encrypts a text with AES-256-GCM under the newest key in use at a Kafka
// timestamp and returns the key's name.
func (k Keys) Seal(known int64, text []byte) (id string, sealed []byte, err error) {
	live := k.at(known)
	if len(live) == 0 {
		return "", nil, errors.New("seal: no key")
	}
	gcm, err := live[0].gcm()
	if err != nil {
		return "", nil, err
	}
	nonce := make([]byte, gcm.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		return "", nil, fmt.Errorf("seal: %w", err)
	}
	return live[0].ID, gcm.Seal(nonce, nonce, text, []byte(live[0].ID)), nil
}

// Open decrypts what Seal has made under the key of that name.
func (k Keys) Open(id string, sealed []byte) ([]byte, error) {
	for _, key := range k {
		if key.ID != id {
			continue
		}
		gcm, err := key.gcm()
		if err != nil {
			return nil, err
		}
		if len(sealed) < gcm.NonceSize() {
			return nil, errors.New("open: the sealed text is cut")
		}
		text, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], []byte(id))
		if err != nil { // cipher says no more than that
			return nil, fmt.Errorf("open what was sealed under key %s: the key %s in the keys file is not the one it was sealed with, or the sealed bytes were changed; put the old secret of %s back, and give a new secret a new name", id, id, id)
		}
		return text, nil
	}
	return nil, fmt.Errorf("open: the keys file has no key %s", id)
}

func (k Key) gcm() (cipher.AEAD, error) {
	block, err := aes.NewCipher(k.seal)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", k.ID, err)
	}
	return cipher.NewGCM(block)
}
