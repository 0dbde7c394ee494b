package decode

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// behind is what may follow a number in an event: enough that words of eight
// bytes can be read, and digits that must not be taken for the number's.
func behind() []string {
	return []string{"", ",", "}", `,"next":1234567890.123456789}`, " 12345678901234567890", "\n,.5e5,-,1111111111111111", "/0123456789012345678", ":9999999999999999999", "\xb0\xb9\xff00000000000000000"}
}

// asParseFloat fails unless a number is read as strconv reads it, whatever
// follows. Text that is no JSON number must be refused.
func asParseFloat(t *testing.T, text string) {
	t.Helper()
	for _, tail := range behind() {
		s := scanner{b: []byte(text + tail)}
		got, err := s.number()
		if err != nil || s.i != len(text) {
			if isJSONNumber(text) && !math.IsInf(must(strconv.ParseFloat(text, 64)), 0) {
				t.Fatalf("%q before %q: %v after %d bytes", text, tail, err, s.i)
			}
			continue
		}
		want, wantErr := strconv.ParseFloat(text, 64)
		if wantErr != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q before %q is %v, want %v (%v)", text, tail, got, want, wantErr)
		}
	}
}

func must(v float64, _ error) float64 { return v }

// isJSONNumber is the grammar of RFC 8259, written another way than the scanner.
func isJSONNumber(text string) bool {
	text = strings.TrimPrefix(text, "-")
	mantissa, exponent, scientific := strings.Cut(strings.ReplaceAll(text, "E", "e"), "e")
	whole, part, pointed := strings.Cut(mantissa, ".")
	allDigits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if scientific {
		if exponent != "" && strings.ContainsRune("+-", rune(exponent[0])) {
			exponent = exponent[1:]
		}
		if !allDigits(exponent) {
			return false
		}
	}
	return allDigits(whole) && (whole == "0" || whole[0] != '0') && (!pointed || allDigits(part))
}

func TestNumbersAsParseFloat(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	for range 100_000 {
		text := ""
		if r.IntN(3) == 0 {
			text = "-"
		}
		for range r.IntN(11) {
			text += string(rune('0' + r.IntN(10)))
		}
		if r.IntN(4) > 0 {
			text += "."
			for range r.IntN(11) {
				text += string(rune('0' + r.IntN(10)))
			}
		}
		if r.IntN(8) == 0 {
			text += fmt.Sprintf("e%d", r.IntN(60)-30)
		}
		asParseFloat(t, text)
	}
}

func FuzzNumberInEvent(f *testing.F) {
	for _, s := range []string{"0", "-0.0", "1.5", "1234567.1234567", "12345678.1", "0.12345678", "01.5", "1.", ".5", "1e5", "1.5E-3", "9007199254740993", "123456789012345678.9", "0.30000000000000004", "1.7976931348623157e308"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 0 && !strings.ContainsAny(text, "NI") {
			asParseFloat(t, text)
		}
	})
}

func TestPlainRuns(t *testing.T) {
	alphabet := []byte{'a', 'z', ' ', '!', '#', '[', ']', '~', 0x7f, '"', '\\', 0x1f, 0, '\n', 0x80, 0xa0, 0xff}
	r := rand.New(rand.NewPCG(8, 8))
	for range 50_000 {
		text := make([]byte, r.IntN(40))
		for i := range text {
			text[i] = alphabet[r.IntN(9)]
			if r.IntN(12) == 0 {
				text[i] = alphabet[r.IntN(len(alphabet))]
			}
		}
		found := 0
		for found < len(text) && text[found] >= 0x20 && text[found] < 0x80 && text[found] != '"' && text[found] != '\\' {
			found++
		}
		if got := plainRun(text, 0); got > found || got < found && len(text)-got >= 8 {
			t.Fatalf("%q: %d, want %d", text, got, found)
		}
		ascii := true
		for _, c := range text {
			ascii = ascii && c > 0 && c < 0x80
		}
		if plainASCII(text) != ascii {
			t.Fatalf("%q: plain ASCII: %t", text, !ascii)
		}
	}
}
