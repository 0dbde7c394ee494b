package decode

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
)

// Every decoder of a foreign shape keeps these promises, whatever the record:
// it does not panic; a refused record leaves the columns as they were; a second
// reading gives the same rows; and what it gives back of a refused event is
// refused for the same reason, so that it can be mended and sent again.

func FuzzSageMaker(f *testing.F)      { fuzzShape(f, FormatSageMaker) }
func FuzzSageMakerTruth(f *testing.F) { fuzzShape(f, FormatSageMakerTruth) }
func FuzzMLflow(f *testing.F)         { fuzzShape(f, FormatMLflow) }
func FuzzAzureML(f *testing.F)        { fuzzShape(f, FormatAzureML) }
func FuzzGenAI(f *testing.F)          { fuzzShape(f, FormatGenAI) }
func FuzzMapping(f *testing.F)        { fuzzShape(f, FormatMapping) }

func fuzzShape(f *testing.F, format Format) {
	var sources []Source
	for _, c := range shapeCases() {
		if c.source.Format != format {
			continue
		}
		value, err := os.ReadFile(c.path() + ".json")
		if err != nil {
			f.Fatal(err)
		}
		sources = append(sources, c.withFiles(f))
		for at, fragment := range []string{"", "null", `"x"`, "[1,2]", "NaN", `{"a":[{}]}`, "1e400"} {
			f.Add(uint8(len(sources)-1), value, uint16(7*at), []byte(fragment))
		}
	}
	f.Add(uint8(0), []byte(`{}`), uint16(0), []byte(nil))
	type opened struct {
		decoder Decoder
		columns Columns
	}
	var all []opened
	for _, s := range sources {
		d, columns := openShape(f, s)
		all = append(all, opened{d, columns})
	}
	f.Fuzz(func(t *testing.T, which uint8, value []byte, at uint16, fragment []byte) {
		o := all[int(which)%len(all)]
		checkShape(t, o.decoder, o.columns, graftFragment(value, at, fragment))
	})
}

func checkShape(t *testing.T, d Decoder, columns Columns, value []byte) {
	columns.Reset()
	kept := bytes.Clone(value)
	rec := Record{Offset: 1, Known: testKnown, Value: value}
	err := d.Append(rec)
	once := dump(columns)
	checkRows(t, columns)
	if !bytes.Equal(kept, value) {
		t.Fatal("the record was written to")
	}
	var whole *Error
	var some *Refusals
	switch {
	case err == nil:
	case errors.As(err, &some):
		for _, r := range some.Events {
			checkReplay(t, d, columns, r)
		}
	case errors.As(err, &whole):
		if columns.Reset(); once != dump(columns) {
			t.Fatalf("refused (%v), but the columns hold\n%s", err, once)
		}
	default:
		t.Fatalf("%T: %v", err, err)
	}
	columns.Reset()
	again := d.Append(rec)
	if twice := dump(columns); once != twice || (err == nil) != (again == nil) || err != nil && err.Error() != again.Error() {
		t.Fatalf("first\n%s(%v)\nthen\n%s(%v)", once, err, twice, again)
	}
}

// graftFragment puts a fragment in the place of one of the values of a document,
// or of a document that stands in one of its strings: mutations of bytes alone
// hardly get behind the first quotation mark.
func graftFragment(document []byte, at uint16, fragment []byte) []byte {
	if len(fragment) == 0 {
		return document
	}
	t := newTree(DefaultLimits())
	t.depth = genAIDepth
	root, err := t.root(document)
	if err != nil {
		return document
	}
	whole := len(t.nodes)
	inner := map[ref]ref{}
	for r := ref(1); int(r) < whole; r++ {
		if t.kind(r) == isString {
			if sub, err := t.sub(r); err == nil {
				inner[r] = sub
			}
		}
	}
	w := treeWriter{t: t}
	w.replace(ref(1+int(at)%(len(t.nodes)-1)), func(w *treeWriter) { w.out = append(w.out, fragment...) })
	for r, sub := range inner {
		if t.kind(sub) != isObject && t.kind(sub) != isArray || w.other[0].at == r {
			continue
		}
		w.replace(r, func(w *treeWriter) {
			inside := treeWriter{t: t, other: w.other[:1]}
			inside.value(sub)
			w.text(inside.out)
		})
	}
	w.value(root)
	return w.out
}

func checkRows(t *testing.T, c Columns) {
	t.Helper()
	if p := c.Predictions; p != nil {
		for i := range p.Len() {
			if n := len(p.ID.At(i)); n == 0 || n > maxName || len(p.Model.At(i)) == 0 || len(p.Deploy.At(i)) == 0 || !isWeight(p.Weight[i]) {
				t.Fatalf("a row that is not complete:\n%s", dump(c))
			}
		}
	}
	if l := c.Labels; l != nil {
		for i := range l.Len() {
			if n := len(l.ID.At(i)); n == 0 || n > maxName || len(l.Model.At(i)) == 0 {
				t.Fatalf("a label that is not complete:\n%s", dump(c))
			}
		}
	}
}

func checkReplay(t *testing.T, d Decoder, columns Columns, r Refusal) {
	t.Helper()
	columns.Reset()
	err := d.Append(Record{Offset: 2, Known: testKnown, Value: r.Value})
	var whole *Error
	var some *Refusals
	if errors.As(err, &some) && len(some.Events) == 1 {
		whole = some.Events[0].Error
	}
	if whole == nil && !errors.As(err, &whole) || whole.Reason != r.Reason {
		t.Fatalf("event %d was refused (%v), alone it is not so (%v):\n%s", r.Index, r.Error, err, r.Value)
	}
	if rows := dump(columns); strings.Contains(rows, "model") {
		t.Fatalf("event %d alone gives rows:\n%s", r.Index, rows)
	}
}
