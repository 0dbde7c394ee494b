package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// plain is a tree's value as the oracle writes it.
func (t *tree) plain(r ref) any {
	switch t.kind(r) {
	case isNull:
		return nil
	case isFalse, isTrue:
		return t.kind(r) == isTrue
	case isNumber:
		return t.nodes[r].number
	case isString:
		return string(t.text(r))
	case isArray:
		items := []any{}
		for e := t.first(r); e != 0; e = t.next(e) {
			items = append(items, t.plain(e))
		}
		return items
	}
	members := []member{}
	for e := t.first(r); e != 0; e = t.next(e) {
		members = append(members, member{string(t.key(e)), t.plain(e)})
	}
	return members
}

const sampleTree = `{"a":{"b":[10,{"c":"x\u00e9"},null]},"":1,"m~n":2,"a/b":3,"t":"{\"in\":[true,{\"k\":7}]}","n":-1.50}`

func TestTree(t *testing.T) {
	tr := newTree(DefaultLimits())
	root, err := tr.root([]byte(sampleTree))
	if err != nil {
		t.Fatal(err)
	}
	inner, err := tr.sub(tr.get(root, "t"))
	if err != nil {
		t.Fatal(err)
	}
	if got := tr.path(tr.get(tr.index(tr.get(inner, "in"), 1), "k")); got != "t.in[1].k" {
		t.Errorf("the path into a document within a string is %q", got)
	}
	for _, tt := range []struct{ pointer, text, path string }{
		{"", sampleTree, ""},
		{"/a/b/0", "10", "a.b[0]"},
		{"/a/b/1/c", "xé", "a.b[1].c"},
		{"/a/b/2", "null", "a.b[2]"},
		{"/", "1", ""},
		{"/m~0n", "2", "m~n"},
		{"/a~1b", "3", "a/b"},
		{"/n", "-1.50", "n"},
		{"/a/b/01", "", ""}, {"/a/b/-", "", ""}, {"/a/b/3", "", ""}, {"/a/b/x", "", ""}, {"/nowhere/at/all", "", ""}, {"/a/b/0/0", "", ""},
	} {
		p, perr := parsePointer(tt.pointer)
		if perr != nil {
			t.Fatal(perr)
		}
		if r := tr.find(root, p); string(tr.text(r)) != tt.text || tr.path(r) != tt.path {
			t.Errorf("%q leads to %q at %q, want %q at %q", tt.pointer, tr.text(r), tr.path(r), tt.text, tt.path)
		}
	}
	for _, text := range []string{"a", "/a~", "/a~2", "/~~0", "a/b"} {
		if _, err := parsePointer(text); err == nil {
			t.Errorf("%q passes for a pointer", text)
		}
	}
}

func TestTreeRefusals(t *testing.T) {
	deep := strings.Repeat(`{"a":[`, 9) + strings.Repeat(`]}`, 9)
	for _, tt := range []struct {
		text   string
		reason Reason
		field  string
	}{
		{``, Unparsable, ""},
		{`   `, Unparsable, ""},
		{`{"a":1}{}`, Unparsable, ""},
		{`{"a":[1,2,]}`, Unparsable, "a[2]"},
		{`{"a":[1,{"b":tru}]}`, Unparsable, "a[1].b"},
		{`{"a":{"b":1,"b":2}}`, DuplicateKey, "a.b"},
		{`{"a":{"b":1,"\u0062":2}}`, DuplicateKey, "a.b"},
		{`{"a":1e999}`, BadValue, "a"},
		{`{"a":"\ud800"}`, BadText, "a"},
		{deep, TooNested, strings.TrimSuffix(strings.Repeat("a[0].", 8), ".") + ".a"},
		{`[` + strings.Repeat("1,", 1000) + `1]`, TooLarge, "[127]"},
	} {
		limits := DefaultLimits()
		limits.MaxBytes = 256
		_, err := newTree(limits).root([]byte(tt.text))
		if err == nil || err.Reason != tt.reason || err.Field != tt.field {
			t.Errorf("%.40s: %v, want %s of %q", tt.text, err, tt.reason, tt.field)
		}
	}
}

// Documents of many members are read in linear time and without allocation.
func TestTreeReuses(t *testing.T) {
	var text bytes.Buffer
	for i := range 20_000 {
		fmt.Fprintf(&text, `,"name\u0020%d":{"value":%d}`, i, i)
	}
	document := append(append([]byte(`{"first":1`), text.Bytes()...), '}')
	tr := newTree(DefaultLimits())
	read := func() {
		root, err := tr.root(document)
		if err != nil {
			t.Fatal(err)
		}
		if got := tr.get(tr.get(root, "name 19999"), "value"); tr.nodes[got].number != 19999 {
			t.Fatalf("name 19999 holds %q", tr.text(got))
		}
	}
	read()
	if n := allocations(3, 0, read); n > 0 {
		t.Errorf("%v allocations a document", n)
	}
	// A new document knows nothing of the one before.
	root, err := tr.root([]byte(`{"other":1}`))
	if err != nil || tr.get(root, "first") != 0 || tr.get(root, "other") == 0 {
		t.Errorf("members of the document before are there still (%v)", err)
	}
}

// FuzzTree compares the tree with encoding/json.
func FuzzTree(f *testing.F) {
	for _, s := range append(seeds(), sampleTree, `[[],{},[{}]]`, `{"a":{"a":{"a":1}}}`) {
		f.Add([]byte(s))
	}
	tr := newTree(DefaultLimits())
	f.Fuzz(func(t *testing.T, document []byte) {
		root, err := tr.root(document)
		if err == nil {
			for id := 1; id < len(tr.nodes); id++ {
				n := &tr.nodes[id]
				if tr.nodes[n.parent].kind == isObject && tr.get(n.parent, string(n.key)) != ref(id) {
					t.Fatalf("%q does not find its value again", n.key)
				}
			}
		}
		if !json.Valid(document) {
			if err == nil && !bytes.ContainsAny(document, "NI") {
				t.Fatalf("read %q, which is not JSON", document)
			}
			return
		}
		want, oracleErr := parseValue(json.NewDecoder(bytes.NewReader(document)), 0)
		switch {
		case err == nil && oracleErr != nil:
			t.Fatalf("read %q: the oracle says %v", document, oracleErr)
		case err == nil:
			if got := fmt.Sprintf("%#v", tr.plain(root)); got != fmt.Sprintf("%#v", want) {
				t.Fatalf("read %q as %s, want %#v", document, got, want)
			}
		case err.Reason == Unparsable || err.Reason == TooLarge:
			t.Fatalf("%q is JSON, but: %v", document, err)
		}
	})
}
