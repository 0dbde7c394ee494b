package decode

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow/go/v17/arrow/ipc"
)

// arrowSeeds are whole streams, one of each shape.
func arrowSeeds(t testing.TB) [][]byte {
	t.Helper()
	r := rand.New(rand.NewPCG(4, 4))
	var all [][]byte
	for _, shape := range arrowShapes() {
		var events []arrowEvent
		for i := range 12 {
			events = append(events, randomArrowEvent(r, i, i%3 == 0))
		}
		all = append(all, shape.stream(t, events))
	}
	return append(all, flights(t, 3), flights(t, 40, ipc.WithLZ4()), flights(t, 40, ipc.WithZstd()))
}

// decodeDamaged decodes a stream that may hold anything, after a good one, and
// checks that the columns stay whole. It returns whether any row was stored.
func decodeDamaged(t *testing.T, a *arrowPredictions, good, stream []byte) bool {
	t.Helper()
	a.Reset()
	if err := a.Append(Record{Known: testKnown, Value: good}); err != nil {
		t.Fatal(err)
	}
	before := a.Len()
	err := a.Append(Record{Known: testKnown, Value: stream})
	whole := new(Error)
	if errors.As(err, &whole) && (a.Len() != before || whole.Hint == "") {
		t.Fatalf("%d rows after %v, want %d", a.Len(), err, before)
	}
	if some := new(Refusals); errors.As(err, &some) {
		for _, r := range some.Events {
			if len(r.Value) == 0 || r.Hint == "" {
				t.Fatalf("refusal %+v", r)
			}
		}
	} else if err != nil && !errors.As(err, &whole) {
		t.Fatal(err)
	}
	checkColumns(t, a.Predictions)
	checkTexts(t, a)
	return a.Len() > before
}

// checkColumns fails if the columns are not such that Arrow records can be made
// of them.
func checkColumns(t *testing.T, p *Predictions) {
	t.Helper()
	n := p.Len()
	for _, length := range []int{len(p.Model.IDs), len(p.Deploy.IDs), len(p.Stage.IDs), len(p.Predicted.IDs), len(p.Status.IDs), p.ID.Len(),
		len(p.Score.Values), len(p.PredictedValue.Values), len(p.Latency.Values), len(p.Weight), len(p.Propensity.Values), len(p.Source.Known), len(p.Source.Offset)} {
		if length != n {
			t.Fatalf("columns of %d and %d rows", length, n)
		}
	}
	for name, l := range map[string]*List{"numbers": &p.Numbers, "categories": &p.Categories, "nulls": &p.Nulls, "segments": &p.Segments} {
		last := int32(0)
		for _, at := range l.Offsets {
			if at < last {
				t.Fatalf("the offsets of %s descend", name)
			}
			last = at
		}
		if n > 0 && (len(l.Offsets) != n+1 || int(last) != len(l.Keys)) {
			t.Fatalf("%s: %d offsets to %d of %d entries, %d rows", name, len(l.Offsets), last, len(l.Keys), n)
		}
	}
	if len(p.NumberValues) != len(p.Numbers.Keys) || len(p.CategoryValues) != len(p.Categories.Keys) || len(p.SegmentValues) != len(p.Segments.Keys) {
		t.Fatal("keys without values")
	}
	for i := range n {
		readRow(p, i) // panics if an identifier is none
	}
}

// Byte flips of a stream make arrow-go try to allocate what the process cannot
// have. Here whatever the bytes claim, memory stays within the limits.
func TestDamagedArrowStaysBounded(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seeds := arrowSeeds(t)
	a := newArrowPredictions(Source{}, NewPredictions(DefaultLimits()))
	good := flights(t, 5)
	stored, refused := 0, 0
	var before, after runtime.MemStats
	for i := range 30_000 {
		stream := bytes.Clone(seeds[i%len(seeds)])
		for range 1 + r.IntN(3) {
			damage(r, stream)
		}
		if r.IntN(20) == 0 {
			stream = stream[:r.IntN(len(stream))]
		}
		sample := i%64 == 0
		if sample {
			runtime.ReadMemStats(&before)
		}
		if decodeDamaged(t, a, good, stream) {
			stored++
		} else {
			refused++
		}
		if sample {
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 96<<20 {
				t.Fatalf("a damaged stream of %d bytes took %d MiB", len(stream), n>>20)
			}
		}
	}
	if stored < 1000 || refused < 1000 {
		t.Errorf("%d stored, %d refused: the test has become blind", stored, refused)
	}
}

// damage writes over some bytes, now and then with a number that a length might be.
func damage(r *rand.Rand, b []byte) {
	at := r.IntN(len(b))
	switch r.IntN(3) {
	case 0:
		b[at] ^= 1 << r.IntN(8)
	case 1:
		b[at] = byte(r.IntN(256))
	case 2:
		if at = at &^ 3; at+8 <= len(b) {
			binary.LittleEndian.PutUint64(b[at:], []uint64{0, 1, 1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 37, 1<<63 - 1, 1 << 63}[r.IntN(9)])
		}
	}
}

func FuzzArrow(f *testing.F) {
	for _, seed := range arrowSeeds(f) {
		f.Add(seed)
	}
	for _, seed := range [][]byte{shared(f, shortDictionary(), 500, 10<<10), lookalikes(f, 75, 30<<10), views(f, 400, 400*16)} {
		f.Add(seed)
	}
	good := flights(f, 5)
	f.Fuzz(func(t *testing.T, stream []byte) {
		limits := DefaultLimits()
		limits.MaxBytes = 64 << 10
		decodeDamaged(t, newArrowPredictions(Source{}, NewPredictions(limits)), good, stream)
		for _, s := range []Source{{Format: FormatArrow, Holds: []Kind{KindLabels}}, {Format: FormatArrow, Holds: []Kind{KindDeployments}}} {
			d, err := s.Open(s.Columns(limits))
			if err != nil {
				t.Fatal(err)
			}
			_ = d.Append(Record{Known: testKnown, Value: stream}) // it must not panic; what it says is decodeDamaged's to judge
		}
	})
}

// withNaN is a row as text, also of numbers that JSON has no word for.
func withNaN(r *oracleRow) string {
	number := func(v *float64) string {
		if v == nil {
			return "null"
		}
		return strconv.FormatFloat(*v, 'g', -1, 64)
	}
	return fmt.Sprintf("%q %q %q %q %d score=%s predicted=%q/%s latency=%s status=%q weight=%v numbers=%v categories=%v segments=%v nulls=%v",
		r.id, r.model, r.deploy, r.stage, r.ts, number(r.score), r.predicted, number(r.value), number(r.latency), r.status, r.weight, r.numbers, r.categories, r.segments, r.nulls)
}

// Streams that other writers made, as files: what they decode to is beside them.
func TestArrowGoldens(t *testing.T) {
	if *update {
		if err := os.WriteFile("testdata/arrow/arrow-go.arrows", arrowSeeds(t)[1], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("testdata/arrow/*.arrows")
	if err != nil || len(files) == 0 {
		t.Fatal("no goldens", err)
	}
	for _, file := range files {
		stream, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		a := newArrowPredictions(Source{Deploy: "d9"}, NewPredictions(DefaultLimits()))
		if err := a.Append(Record{Known: testKnown, Value: stream}); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		var got strings.Builder
		for i := range a.Len() {
			got.WriteString(withNaN(readRow(a.Predictions, i)) + "\n")
		}
		golden := strings.TrimSuffix(file, ".arrows") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != string(want) {
			t.Errorf("%s\n got %s\nwant %s", file, got.String(), want)
		}
	}
}
