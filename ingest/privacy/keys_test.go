package privacy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

const secret = "0123456789abcdef0123456789abcdef"

// hkdf is RFC 5869 by hand, with one block of output and no salt.
func hkdfByHand(secret, info string) []byte {
	extract := hmac.New(sha256.New, make([]byte, sha256.Size))
	extract.Write([]byte(secret))
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write(append([]byte(info), 1))
	return expand.Sum(nil)
}

// hashByHand is what a value's hash has to be.
func hashByHand(name, secret, value string) string {
	mac := hmac.New(sha256.New, hkdfByHand(secret, "plumbline value hash"))
	mac.Write([]byte(value))
	return name + ":" + hex.EncodeToString(mac.Sum(nil)[:16])
}

// The derivation by hand is held to RFC 5869, A.3.
func TestDerivationByHand(t *testing.T) {
	got := hkdfByHand(strings.Repeat("\x0b", 22), "")
	if hex.EncodeToString(got) != "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d" {
		t.Errorf("%x", got)
	}
}

func mustParse(t testing.TB, text string) Keys {
	t.Helper()
	keys, err := parseKeys([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestParseKeys(t *testing.T) {
	for text, want := range map[string]string{
		"":                                     "1: holds no key",
		"# k " + secret:                        "1: holds no key",
		"k":                                    "1: write NAME SECRET",
		"k a b c d":                            "1: write NAME SECRET",
		"a b " + secret:                        "1: the secret of a",
		"a.b " + secret:                        "1: a name has",
		strings.Repeat("a", 33) + " " + secret: "1: a name has",
		"k " + secret[1:]:                      "1: the secret of k is shorter",
		"k " + secret + " yesterday":           `1: "yesterday" is no RFC 3339 time`,
		"k " + secret + " 2026-01-02T00:00:00Z 2026-01-02T00:00:00Z":                   "1: UNTIL of k is not after",
		"# one\n\na " + secret + "\na " + secret + " 2026-01-01T00:00:00Z":             "4: the name a stands twice",
		"a " + secret + "\nb " + secret:                                                "2: begins no later",
		"a " + secret + " 2026-01-02T00:00:00Z\nb " + secret + " 2026-01-01T00:00:00Z": "2: begins no later",
		"k " + strings.Repeat("x", 1<<17):                                              "0: ",
	} {
		_, err := parseKeys([]byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.60q: %v, want %q", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("%.60q: the error holds the secret: %v", text, err)
		}
	}
	keys := mustParse(t, "# comment\r\n  a_1-Z\t"+secret+"  \r\n\nb "+secret+" 2026-01-01T00:00:00+01:00 2026-02-01T00:00:00.5Z")
	if len(keys) != 2 || keys[0].ID != "a_1-Z" || keys[0].From != math.MinInt64 || keys[0].Until != math.MaxInt64 ||
		keys[1].From != time.Date(2025, 12, 31, 23, 0, 0, 0, time.UTC).UnixMilli() || keys[1].Until != time.Date(2026, 2, 1, 0, 0, 0, 5e8, time.UTC).UnixMilli() {
		t.Errorf("keys %+v", keys)
	}
}

func FuzzParseKeys(f *testing.F) {
	for _, text := range []string{"", "k " + secret, "# c\na " + secret + " 2026-01-01T00:00:00Z\nb " + secret + " 2026-02-01T00:00:00Z 2026-03-01T00:00:00Z\n", "k x", "\x00", "k " + secret + " 0000-01-01T00:00:00Z 9999-12-31T23:59:60Z"} {
		f.Add([]byte(text), int64(0))
	}
	f.Fuzz(func(t *testing.T, text []byte, at int64) {
		keys, err := parseKeys(text)
		if err != nil {
			if len(keys) != 0 {
				t.Errorf("an error, and %d keys", len(keys))
			}
			return
		}
		live := keys.at(at)
		if len(live) == 0 {
			t.Fatalf("no key is in use at %d", at)
		}
		for i, k := range keys {
			if !keyName.MatchString(k.ID) || k.Until <= k.From || i > 0 && k.From <= keys[i-1].From || len(k.hash) != 32 || bytes.Equal(k.hash, k.seal) {
				t.Errorf("key %d: %+v", i, k)
			}
		}
		id, sealed, err := keys.Seal(at, text)
		if err != nil || id != live[0].ID {
			t.Fatalf("sealed under %q, %v; in use is %q", id, err, live[0].ID)
		}
		if opened, err := keys.Open(id, sealed); err != nil || !bytes.Equal(opened, text) {
			t.Errorf("opened %q, %v", opened, err)
		}
	})
}

// FuzzOpenContents opens what was made by whoever has the key.
func FuzzOpenContents(f *testing.F) {
	keys := mustParse(f, "k "+secret)
	f.Add([]byte{})
	f.Add([]byte{1, 'a', 1, 'b'})
	f.Add([]byte{1, 'a', 0, 1, 'h', 200})
	f.Add([]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, text []byte) {
		id, sealed, err := keys.Seal(0, text)
		if err != nil {
			t.Fatal(err)
		}
		c, err := keys.OpenContents(id, sealed)
		if err != nil {
			return
		}
		_, again, err := keys.SealContents(0, c)
		if err != nil {
			t.Fatal(err)
		}
		d, err := keys.OpenContents(id, again)
		if err != nil || fmt.Sprint(c) != fmt.Sprint(d) {
			t.Errorf("%v became %v, %v", c, d, err)
		}
	})
}

// ids are the names of keys.
func ids(keys Keys) string {
	var names []string
	for _, k := range keys {
		names = append(names, k.ID)
	}
	return strings.Join(names, " ")
}

func TestKeysInUse(t *testing.T) {
	day := func(n int) string {
		return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC).Format(time.RFC3339)
	}
	line := func(name string, times ...string) string {
		return strings.Join(append([]string{name, secret}, times...), " ") + "\n"
	}
	overlap := mustParse(t, line("a", day(2), day(10))+line("b", day(5), day(20))+line("c", day(8)))
	gap := mustParse(t, line("a", day(2), day(5))+line("b", day(10), day(12)))
	inside := mustParse(t, line("a")+line("b", day(5), day(8)))
	for _, c := range []struct {
		keys   Keys
		day    int
		offset int64
		want   string
	}{
		{overlap, 1, 0, "a"}, {overlap, 2, 0, "a"}, {overlap, 5, -1, "a"}, {overlap, 5, 0, "b a"}, {overlap, 8, 0, "c b a"},
		{overlap, 10, -1, "c b a"}, {overlap, 10, 0, "c b"}, {overlap, 20, 0, "c"}, {overlap, 31, 0, "c"},
		{gap, 1, 0, "a"}, {gap, 5, -1, "a"}, {gap, 5, 0, "a"}, {gap, 9, 0, "a"}, {gap, 10, 0, "b"}, {gap, 12, 0, "b"}, {gap, 31, 0, "b"},
		{inside, 4, 0, "a"}, {inside, 5, 0, "b a"}, {inside, 8, 0, "a"},
	} {
		at := time.Date(2026, 1, c.day, 0, 0, 0, 0, time.UTC).UnixMilli() + c.offset
		if got := ids(c.keys.at(at)); got != c.want {
			t.Errorf("day %d%+d ms of %s: %q, want %q", c.day, c.offset, ids(c.keys), got, c.want)
		}
	}
	for _, at := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		if len(overlap.at(at)) == 0 || len(gap.at(at)) == 0 || len(inside.at(at)) == 0 {
			t.Errorf("no key is in use at %d", at)
		}
	}
	if Keys(nil).at(0) != nil {
		t.Error("no keys have one in use")
	}
}

func TestHash(t *testing.T) {
	keys := mustParse(t, "old "+secret+"\nnew another-secret-that-is-long-enough 2026-01-01T00:00:00Z")
	for _, value := range []string{"", "a", "Ann@example.com", strings.Repeat("long ", 1000), "\x00\xff"} {
		want := []string{hashByHand("old", secret, value), hashByHand("new", "another-secret-that-is-long-enough", value)}
		if got := keys.Hashes([]byte(value)); !slices.Equal(got, want) {
			t.Errorf("%.20q: %q, want %q", value, got, want)
		}
	}
}

func TestSeal(t *testing.T) {
	keys := mustParse(t, "a "+secret+"\nb another-secret-that-is-long-enough 2026-01-01T00:00:00Z")
	late := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC).UnixMilli()
	contents := Contents{Key: []byte("key"), Value: []byte("value of Ann"), Headers: []Header{{"h", []byte("1")}, {"h", nil}, {"", []byte("3")}}}
	for at, name := range map[int64]string{0: "a", late: "b"} {
		id, sealed, err := keys.SealContents(at, contents)
		if err != nil || id != name || bytes.Contains(sealed, []byte("Ann")) {
			t.Fatalf("sealed under %q as %q, %v", id, sealed, err)
		}
		_, again, _ := keys.SealContents(at, contents)
		if bytes.Equal(sealed, again) {
			t.Error("sealed twice alike: it can be told that two letters are the same")
		}
		opened, err := keys.OpenContents(id, sealed)
		if err != nil || fmt.Sprint(opened) != fmt.Sprint(contents) {
			t.Errorf("opened %v, %v", opened, err)
		}
		for i := range sealed {
			damaged := bytes.Clone(sealed)
			damaged[i] ^= 1 << (i % 8)
			if _, err := keys.OpenContents(id, damaged); err == nil {
				t.Errorf("byte %d was changed, and nobody saw", i)
			}
			if _, err := keys.OpenContents(id, sealed[:i]); err == nil {
				t.Errorf("cut at %d, and nobody saw", i)
			}
		}
	}
	id, sealed, err := keys.SealContents(0, contents)
	if err != nil {
		t.Fatal(err)
	}
	for want, other := range map[string]Keys{
		"has no key a": mustParse(t, "b "+secret),
		"under key a: the key a in the keys file is not the one it was sealed with": mustParse(t, "a another-secret-that-is-long-enough"),
	} {
		if _, err := other.OpenContents(id, sealed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	// The name is sealed along.
	renamed := mustParse(t, "b "+secret)
	if _, err := renamed.Open("b", sealed); err == nil {
		t.Error("opened under another name")
	}
	if _, _, err := Keys(nil).Seal(0, nil); err == nil {
		t.Error("sealed without a key")
	}
	// Nothing and empty are alike.
	_, empty, _ := keys.SealContents(0, Contents{})
	if c, err := keys.OpenContents("a", empty); err != nil || c.Key != nil || c.Value != nil || c.Headers != nil {
		t.Errorf("opened %+v, %v", c, err)
	}
}

func TestReadKeysMindsWhoMayRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte("# one\nk "+secret+" soon\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadKeys(path); err == nil || !strings.Contains(err.Error(), path+":2: ") {
		t.Errorf("%v, want the file and the line", err)
	}
	if err := os.WriteFile(path, []byte("k "+secret), 0o600); err != nil {
		t.Fatal(err)
	}
	if keys, err := ReadKeys(path); err != nil || ids(keys) != "k" {
		t.Errorf("%v, %v", ids(keys), err)
	}
	for _, mode := range []os.FileMode{0o660, 0o604, 0o644} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadKeys(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if _, err := ReadKeys(path + ".none"); err == nil {
		t.Error("a file that is not there is read")
	}
}
