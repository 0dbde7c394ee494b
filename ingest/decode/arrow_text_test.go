package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow"
)

// shared writes rows that have one long text each in features.text, of a type in
// which a stream can say it once.
func shared(t testing.TB, typ arrow.DataType, rows, size int) []byte {
	t.Helper()
	return streamOf(t, texts("prediction_id", slices.Repeat([]string{"p"}, rows)...), at(rows),
		column{"features.text", typ, slices.Repeat([]string{strings.Repeat("x", size)}, rows)})
}

func shortDictionary() arrow.DataType {
	return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int8, ValueType: arrow.BinaryTypes.String}
}

// uneven are short texts of a dictionary that has one long one: a bound by the
// longest alone would refuse them.
func uneven(t testing.TB) []byte {
	t.Helper()
	const rows = 3000
	return streamOf(t, texts("prediction_id", slices.Repeat([]string{"p"}, rows+1)...), at(rows+1),
		column{"features.text", shortDictionary(), append(slices.Repeat([]string{"x"}, rows), strings.Repeat("y", 2000))})
}

// lookalikes are a row of so many features of plain text that have the same
// buffers.
func lookalikes(t testing.TB, features, size int) []byte {
	t.Helper()
	all := []column{texts("prediction_id", "p"), at(1), texts("features.0", strings.Repeat("x", size))}
	for i := 1; i < features; i++ {
		all = append(all, texts(fmt.Sprint("features.", i), ""))
	}
	stream := streamOf(t, all...)
	for message := stream; ; {
		f := flat{b: message[8 : 8+binary.LittleEndian.Uint32(message[4:])]}
		header, _ := f.root().table(headerOfMessage)
		if f.root().number(headerTypeOfMessage, 1) != headerBatch {
			message = message[8+len(f.b)+int(f.root().number(bodyLengthOfMessage, 8)):]
			continue
		}
		// A text has three buffers, prediction_id the first and ts the next two.
		const before, each = 5 * 16, 3 * 16
		buffers, _ := header.vector(2, 16)
		first := f.b[buffers+before:][:each]
		for i := 1; i < features; i++ {
			copy(f.b[buffers+before+i*each:], first)
		}
		return stream
	}
}

// views are rows of which each text is a view of the same bytes.
func views(t testing.TB, rows, size int) []byte {
	t.Helper()
	stream := shared(t, arrow.BinaryTypes.StringView, rows, 16)
	if size > 16*rows {
		t.Fatal("the views have fewer bytes")
	}
	view := make([]byte, 16)
	binary.LittleEndian.PutUint32(view, 16)
	copy(view[4:], "xxxx")
	for k := range rows {
		binary.LittleEndian.PutUint32(view[12:], uint32(16*k))
		at := strings.Index(string(stream), string(view))
		if at < 0 {
			t.Fatal("the stream does not hold its views")
		}
		binary.LittleEndian.PutUint32(stream[at:], uint32(size))
		binary.LittleEndian.PutUint32(stream[at+12:], 0)
	}
	return stream
}

// Rows that share their texts stand for more bytes than a record has: too many
// are refused before they are memory.
func TestArrowTextOfAllRowsIsBounded(t *testing.T) {
	limits := DefaultLimits()
	limits.MaxBytes = 64 << 10 // 2 MiB of text
	a := newArrowPredictions(Source{Model: "m", Deploy: "d"}, NewPredictions(limits))
	for name, c := range map[string]struct {
		stream []byte
		field  string
		rows   int
	}{
		"few rows of a dictionary":   {shared(t, shortDictionary(), 200, 10<<10), "", 200},
		"many rows of a dictionary":  {shared(t, shortDictionary(), 210, 10<<10), "features.text", 0},
		"longer ones":                {shared(t, shortDictionary(), 50, 50<<10), "features.text", 0},
		"one long text of many":      {uneven(t), "", 3001},
		"one column of a buffer":     {lookalikes(t, 1, 30<<10), "", 1},
		"many columns of one buffer": {lookalikes(t, 75, 30<<10), "features.68", 0},
		"few views of a text":        {views(t, 300, 300*16), "", 300},
		"many views of a text":       {views(t, 400, 400*16), "features.text", 0},
	} {
		if len(c.stream) > limits.MaxBytes {
			t.Errorf("%s: %d bytes test nothing", name, len(c.stream))
		}
		a.Reset()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		err := a.Append(Record{Known: testKnown, Value: c.stream})
		runtime.ReadMemStats(&after)
		var refused *Error
		switch {
		case c.rows > 0 && err != nil, a.Len() != c.rows:
			t.Errorf("%s: %d rows of %d, %v", name, a.Len(), c.rows, err)
		case c.rows == 0 && (!errors.As(err, &refused) || refused.Reason != TooLarge || refused.Field != c.field || !strings.Contains(refused.Hint, "send fewer rows")):
			t.Errorf("%s: %v, want it too large at %q", name, err, c.field)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were taken for a record of %d", name, n, len(c.stream))
		}
	}
}

// The values of a dictionary are looked at whether or not a row has them, so they
// are bounded too: views may make them long.
func TestArrowTextOfDictionariesIsBounded(t *testing.T) {
	stream := shared(t, shortDictionary(), 1, 200)
	for most, taken := range map[int]bool{199: false, 300: true} {
		a := newArrowPredictions(Source{Model: "m", Deploy: "d"}, NewPredictions(DefaultLimits()))
		a.reader.mostText = most
		err := a.Append(Record{Known: testKnown, Value: stream})
		var refused *Error
		if taken != (err == nil) || !taken && (!errors.As(err, &refused) || refused.Reason != TooLarge || refused.Field != "") {
			t.Errorf("%d bytes of text with at most %d: %v", 200, most, err)
		}
	}
}

// checkTexts fails if rows stand for more text than a record may.
func checkTexts(t *testing.T, a *arrowPredictions) {
	t.Helper()
	n := len(a.ID.Bytes)
	for _, id := range a.CategoryValues {
		n += len(a.Values.Value(id))
	}
	for _, id := range a.SegmentValues {
		n += len(a.SegmentTexts.Value(id))
	}
	if most := a.reader.mostText + 64<<10; n > most { // what a good record beside it has, and numbers as segments
		t.Fatalf("%d bytes of text, more than %d", n, most)
	}
}

// A batch is asked how much text its rows stand for, also where none of its
// records has too much.
func TestOutgrows(t *testing.T) {
	columns := Columns{Predictions: NewPredictions(DefaultLimits()), Deployments: NewDeployments(DefaultLimits())}
	a := newArrowPredictions(Source{Model: "m", Deploy: "d"}, columns.Predictions)
	stream := shared(t, shortDictionary(), 10, 1000)
	for round := range 2 {
		for n := 1; n <= 5; n++ {
			if err := a.Append(Record{Known: testKnown, Value: stream}); err != nil {
				t.Fatal(err)
			}
			if err := a.Append(Record{Known: testKnown, Value: stream[:50]}); err == nil {
				t.Fatal("half a stream is taken")
			}
			for _, limit := range []int{35_000, 45_000} {
				if got := columns.Outgrows(limit); got != (n*10_000 > limit) {
					t.Errorf("round %d: %d bytes outgrow %d: %t", round, n*10_000, limit, got)
				}
			}
		}
		columns.Reset()
	}
	for i := range 60 { // more than before Reset, and less text
		columns.Predictions.category(0, []byte(strings.Repeat("x", []int{1000, 100}[min(i, 1)])))
	}
	if columns.Outgrows(10_000) || !columns.Outgrows(6_000) {
		t.Error("what was counted before Reset counts again")
	}
	columns.Reset()
	for range 20 { // a hash has 32 bytes
		columns.Predictions.category(0, []byte("x"))
	}
	if columns.Outgrows(20*leastText) || !columns.Outgrows(20*leastText-1) {
		t.Error("short texts do not count as hashes")
	}
	columns.Reset()
	columns.Deployments.Note.Append(make([]byte, 100))
	if columns.Outgrows(100) || !columns.Outgrows(99) {
		t.Error("the texts of deployments do not count")
	}
}
