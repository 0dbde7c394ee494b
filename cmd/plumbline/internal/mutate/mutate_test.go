package mutate

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/decode"
)

var testdata = filepath.Join("..", "..", "..", "..", "ingest", "decode", "testdata")

// Each sample is a valid record of its shape, and every shape has one.
func TestSamplesAreTaken(t *testing.T) {
	samples, err := load(testdata)
	if err != nil {
		t.Fatal(err)
	}
	taken := make(map[decode.Format]bool)
	for _, s := range samples {
		columns := s.source.Columns(decode.DefaultLimits())
		d, err := s.source.Open(columns)
		if err != nil {
			t.Fatalf("%s %s: %v", s.source.Format, s.name, err)
		}
		var got tally
		one(d, columns, decode.Record{Known: known, Key: s.key, Value: s.value, Headers: s.headers}, &got)
		if got.wrong() > 0 {
			t.Errorf("%s %s: %+v", s.source.Format, s.name, got)
		}
		if got.stored+got.part > 0 {
			taken[s.source.Format] = true
		}
	}
	for _, f := range decode.Formats() {
		if !taken[f] {
			t.Errorf("no sample of %s is stored", f)
		}
	}
}

func TestRunMeetsItsGoals(t *testing.T) {
	if err := Run(t.Context(), Options{Events: 20_000, Seed: 1, Testdata: testdata, Lines: io.Discard, Text: io.Discard}); err != nil {
		t.Error(err)
	}
}

// decoder answers as it is told.
type decoder func(decode.Record) error

func (d decoder) Append(r decode.Record) error { return d(r) }

// What must not be is counted as what it is.
func TestWrongsAreSeen(t *testing.T) {
	s := inline()[0]
	columns := s.source.Columns(decode.DefaultLimits())
	good, err := s.source.Open(columns)
	if err != nil {
		t.Fatal(err)
	}
	store := func() {
		if err := good.Append(decode.Record{Known: known, Value: s.value}); err != nil {
			t.Fatal(err)
		}
	}
	refusal := &decode.Error{Reason: decode.BadValue}
	for name, c := range map[string]struct {
		d    decoder
		want tally
	}{
		"stored":   {func(decode.Record) error { store(); return nil }, tally{sent: 1, stored: 1}},
		"refused":  {func(decode.Record) error { return refusal }, tally{sent: 1, refused: 1}},
		"in part":  {func(decode.Record) error { store(); return &decode.Refusals{Events: make([]decode.Refusal, 1)} }, tally{sent: 1, part: 1}},
		"skipped":  {func(decode.Record) error { columns.Predictions.Skipped++; return nil }, tally{sent: 1, skipped: 1}},
		"vanished": {func(decode.Record) error { return nil }, tally{sent: 1, vanished: 1}},
		"leaked":   {func(decode.Record) error { store(); return refusal }, tally{sent: 1, refused: 1, leaked: 1}},
		"strange":  {func(decode.Record) error { return errors.New("odd") }, tally{sent: 1, strange: 1}},
		"panicked": {func(decode.Record) error { panic("ouch") }, tally{sent: 1, panics: 1}},
		"ragged": {func(decode.Record) error {
			store()
			columns.Predictions.Weight = columns.Predictions.Weight[:0]
			return nil
		}, tally{sent: 1, stored: 1, ragged: 1}},
	} {
		columns.Reset()
		var got tally
		one(c.d, columns, decode.Record{Known: known}, &got)
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

// The same seed damages alike, and never what the sample holds.
func TestMutationsRepeat(t *testing.T) {
	value := []byte(`{"prediction_id":"p-1","ts":1790000000000}`)
	kept := bytes.Clone(value)
	damage := func() (all [][]byte) {
		m := mutator{random: rand.New(rand.NewPCG(1, 2)), others: [][]byte{value}}
		for range 5000 {
			all = append(all, bytes.Clone(m.mutate(value)))
		}
		return all
	}
	first := damage()
	if !slices.EqualFunc(first, damage(), bytes.Equal) {
		t.Error("the same seed damages in another way")
	}
	same := 0
	for _, b := range first {
		if bytes.Equal(b, value) {
			same++
		}
	}
	if same > len(first)/5 {
		t.Errorf("%d of %d are not damaged", same, len(first))
	}
	if !bytes.Equal(value, kept) {
		t.Error("the sample itself is damaged")
	}
}
