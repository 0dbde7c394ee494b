package erase_test

import (
	"testing"

	"github.com/plumbline-slo/plumbline/ingest/erase"
	"github.com/plumbline-slo/plumbline/ingest/join"
)

// What the join remembers of a person to find their predictions by goes with the
// last of them, and not before.
func TestErasesWhatThePersonIsFoundBy(t *testing.T) {
	w := newWorld(t)
	for i, id := range []string{"Ann", "Bob", "Ann"} {
		w.predict(int64(i), id, nil, nil)
	}
	w.complete("p", "predictions", 0, 1)
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: w.env.DB})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	ids := func(id string) uint64 {
		return w.count("SELECT count() FROM days_of_ids WHERE id = cityHash64('m', '" + id + "')")
	}
	w.erase(erase.Request{IDs: []string{"Ann"}})
	if ids("Ann") != 1 || ids("Bob") != 1 {
		t.Errorf("%d rows of Ann, of whom a prediction is not complete yet, and %d of Bob; want 1 each", ids("Ann"), ids("Bob"))
	}
	w.complete("p", "predictions", 2, 2)
	if _, err := j.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.erase(erase.Request{IDs: []string{"Ann"}})
	if ids("Ann") != 0 || ids("Bob") != 1 {
		t.Errorf("%d rows of Ann and %d of Bob are left, want none and 1", ids("Ann"), ids("Bob"))
	}
}
