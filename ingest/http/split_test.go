package ingesthttp

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// spell writes events as line:value, with a mark where one has a fault.
func spell(events []event) []string {
	out := []string{}
	for _, e := range events {
		mark := ""
		if e.fault != "" {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%d:%s%s", e.line, e.value, mark))
	}
	return out
}

func TestSplitLines(t *testing.T) {
	for body, want := range map[string][]string{
		"":                           {},
		"\n \r\n\t\n":                {},
		"{}":                         {"1:{}"},
		"{\"a\":1}\r\n\n {\"b\":2} ": {`1:{"a":1}`, `3:{"b":2}`},
		"x\n[1]\n":                   {"1:x", "2:[1]"},
	} {
		if got := spell(splitLines([]byte(body), 10)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

func TestSplitJSON(t *testing.T) {
	for body, want := range map[string][]string{
		"":                                {},
		" \n":                             {},
		"[ ]":                             {},
		"[\n\n]\n":                        {},
		" \n{\"a\":\n1}\n":                {"2:{\"a\":\n1}"},
		"{}\n{}":                          {"1:{}\n{}!"},
		`{"a":"}{"} `:                     {`1:{"a":"}{"}`},
		`[{"a":1},{"b":[1,2]}]`:           {`1:{"a":1}`, `1:{"b":[1,2]}`},
		"[\n{\"a\":\"],[\\\"\"}\n,\n1\n]": {`2:{"a":"],[\""}`, "4:1"},
		"[{},]":                           {"1:{}", "1:"},
		"[,]":                             {"1:", "1:"},
		"[{},{":                           {"1:{}", "1:{!"},
		"[{}":                             {"1:{}!"},
		"[":                               {"1:!"},
		`[{},"a\`:                         {"1:{}", `1:"a\!`},
		"[{}] {}":                         {"1:{}", "1:{}!"},
		"[]\n\x00":                        {"2:\x00!"},
		"[}{},{}]":                        {"1:}{}", "1:{}"},
	} {
		if got := spell(splitJSON([]byte(body), 10)); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", body, got, want)
		}
	}
}

func TestSplitStopsAboveTheLimit(t *testing.T) {
	if n := len(splitLines([]byte(strings.Repeat("1\n", 100)), 10)); n != 11 {
		t.Errorf("lines: %d events, want 11", n)
	}
	if n := len(splitJSON([]byte("["+strings.Repeat("1,", 100)+"1]"), 10)); n != 11 {
		t.Errorf("array: %d events, want 11", n)
	}
}

func FuzzSplitLines(f *testing.F) {
	f.Add([]byte("{}\r\n\n x \n"))
	f.Fuzz(func(t *testing.T, body []byte) {
		events := splitLines(body, len(body)+1)
		lines := bytes.Split(body, []byte("\n"))
		seen := make(map[int]bool)
		for _, e := range events {
			seen[e.line] = true
			if !bytes.Equal(e.value, trim(lines[e.line-1])) {
				t.Fatalf("line %d of %q is %q", e.line, body, e.value)
			}
		}
		for i, line := range lines {
			if (len(trim(line)) > 0) != seen[i+1] {
				t.Fatalf("line %d of %q was taken: %v", i+1, body, seen[i+1])
			}
		}
	})
}

// Against encoding/json: what it reads as an array is split into the same
// elements, and of what it does not read as JSON no byte is skipped.
func FuzzSplitJSON(f *testing.F) {
	for _, body := range []string{`[{"a":"],["},2]`, "[{}", `[{},"a\`, "[]x", "{}\n{}", "[,]", "[\n1 ,\n2]", "}", "[}{,]"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		events := splitJSON(body, len(body)+1)
		significant := 0
		for _, e := range events {
			significant += len(e.value)
			if e.line < 1 || e.line > 1+bytes.Count(body, []byte("\n")) {
				t.Fatalf("%q: an event on line %d", body, e.line)
			}
		}
		var elements []json.RawMessage
		if trimmed := trim(body); json.Unmarshal(body, &elements) == nil && len(trimmed) > 0 && trimmed[0] == '[' {
			if len(elements) != len(events) {
				t.Fatalf("%q: %d events, encoding/json finds %d", body, len(events), len(elements))
			}
			for i, e := range events {
				if e.fault != "" || !bytes.Equal(e.value, trim(elements[i])) {
					t.Fatalf("%q: event %d is %q (%s), want %q", body, i, e.value, e.fault, elements[i])
				}
			}
			return
		}
		// One opening bracket, one closing one and the commas between are not in
		// events; white space around them neither.
		separators := max(0, len(events)-1) + 2
		if visible := len(body) - bytes.Count(body, []byte(" ")) - bytes.Count(body, []byte("\n")) - bytes.Count(body, []byte("\t")) - bytes.Count(body, []byte("\r")); significant+separators < visible {
			t.Fatalf("%q: of %d bytes that are no white space the events hold %d", body, visible, significant)
		}
	})
}
