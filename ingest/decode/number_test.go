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
// follows. Text that is no JSON number must be refused, and one that strconv
// rounds to an infinity or to 0.
func asParseFloat(t *testing.T, text string) {
	t.Helper()
	for _, tail := range behind() {
		s := scanner{b: []byte(text + tail)}
		got, err := s.number()
		if err != nil || s.i != len(text) {
			if v := must(strconv.ParseFloat(text, 64)); isJSONNumber(text) && !math.IsInf(v, 0) && !roundedToZero(text, v) {
				t.Fatalf("%q before %q: %v after %d bytes", text, tail, err, s.i)
			}
			continue
		}
		if roundedToZero(text, got) {
			t.Fatalf("%q before %q is %v, want it refused", text, tail, got)
		}
		want, wantErr := strconv.ParseFloat(text, 64)
		if wantErr != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Fatalf("%q before %q is %v, want %v (%v)", text, tail, got, want, wantErr)
		}
	}
}

// roundedToZero reports whether a number is read as 0 that has another digit.
func roundedToZero(text string, v float64) bool {
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	return v == 0 && strings.Trim(mantissa, "-+.0") != ""
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
		} else if r.IntN(50) == 0 {
			text += fmt.Sprintf("e%d", r.IntN(100)*8-400)
		}
		asParseFloat(t, text)
	}
}

// A number that float64 cannot tell from 0 or from an infinity is another number
// there, in whatever field it stands. Subnormals are numbers.
func TestNumbersThatFloat64LosesAreRefused(t *testing.T) {
	lost := []string{"1e-400", "-1e-400", "0." + strings.Repeat("0", 400) + "1", "2e-324", "1e400", "-1e400"}
	events := map[string]string{
		"score": event(`,"score":%s`), "features.x": event(`,"features":{"x":%s}`), "predicted": event(`,"predicted":%s`), "latency_ms": event(`,"latency_ms":%s`),
	}
	for field, e := range events {
		for _, text := range lost {
			err := NewJSONPredictions(DefaultLimits()).Append(Record{Known: testKnown, Value: []byte(strings.Replace(e, "%s", text, 1))})
			if reason, at := reasonOf(err); reason != BadValue || at != field || !strings.Contains(err.Error(), "write it") {
				t.Errorf("%s of %.20s: %v", field, text, err)
			}
		}
		for _, text := range []string{"0", "-0.0", "0e-400", "0.000e400", "5e-324", "-2.5e-310", "1.7e308"} {
			if err := NewJSONPredictions(DefaultLimits()).Append(Record{Known: testKnown, Value: []byte(strings.Replace(e, "%s", text, 1))}); err != nil {
				t.Errorf("%s of %s: %v", field, text, err)
			}
		}
	}
	for _, text := range lost {
		err := NewJSONLabels(DefaultLimits()).Append(Record{Known: testKnown, Value: fmt.Appendf(nil, `{"prediction_id":"p","model":"m","ts":%d,"label":%s}`, testKnown, text)})
		if reason, at := reasonOf(err); reason != BadValue || at != "label" {
			t.Errorf("label of %.20s: %v", text, err)
		}
		if v, err := decimal([]byte{1}, 400); err == nil {
			t.Errorf("a decimal is read as %v", v)
		}
	}
}

func FuzzNumberInEvent(f *testing.F) {
	for _, s := range []string{"0", "-0.0", "1.5", "1234567.1234567", "12345678.1", "0.12345678", "01.5", "1.", ".5", "1e5", "1.5E-3", "9007199254740993", "123456789012345678.9", "0.30000000000000004", "1.7976931348623157e308", "1e-400", "5e-324", "0.0e-999", "2e-324"} {
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
