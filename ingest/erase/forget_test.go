package erase_test

import (
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
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
		return w.count("SELECT count() FROM days_by_id WHERE " + plumbline.HashOfIDDaySQL + " = bitShiftRight(cityHash64('m', '" + id + "'), 16)")
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

// So does what it remembers labels by, also where there is no prediction.
func TestErasesWhatLabelsAreFoundBy(t *testing.T) {
	w := newWorld(t)
	w.predict(0, "Ann", nil, nil)
	for i, id := range []string{"Ann", "Bob", "Cid", "Bob"} {
		w.label(int64(i), id, "yes")
	}
	w.complete("p", "predictions", 0, 0)
	w.complete("l", "labels", 0, 2)
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: w.env.DB})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Step(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.erase(erase.Request{IDs: []string{"Ann", "Bob"}})
	for id, want := range map[string]uint64{"Ann": 0, "Bob": 1, "Cid": 1} { // of Bob a label is not complete yet
		if n := w.count("SELECT count() FROM labels_by_id WHERE " + plumbline.HashOfIDDaySQL + " = bitShiftRight(cityHash64('m', '" + id + "'), 16)"); n != want {
			t.Errorf("%d rows of %s, want %d", n, id, want)
		}
	}
}

// Two identifiers may have one hash: that of the one goes with it only where the
// other has no prediction on the same day.
func TestAHashThatAnotherHasStays(t *testing.T) {
	w := newWorld(t)
	const ann, bob = "1529044", "57581218" // found among sixty million
	w.predict(0, ann, nil, nil)
	w.predict(1, bob, nil, nil)
	w.complete("p", "predictions", 0, 1)
	w.exec("INSERT INTO days_by_id SELECT " + plumbline.IDDaySQL + " FROM predictions")
	w.exec("INSERT INTO days_by_id SELECT id_day + 1 FROM days_by_id")
	days := func() uint64 {
		return w.count("SELECT uniqExact(id_day) + 10 * uniqExact(" + plumbline.HashOfIDDaySQL + ") FROM days_by_id")
	}
	if n := days(); n != 12 {
		t.Fatalf("%d: two identifiers of one hash have two days", n)
	}
	w.erase(erase.Request{IDs: []string{ann}})
	if n := days(); n != 11 {
		t.Errorf("%d: the day of who stays goes, or one in which nobody has a prediction stays", n)
	}
	w.erase(erase.Request{IDs: []string{bob}})
	if n := days(); n != 0 {
		t.Errorf("%d: hashes of nobody are left", n)
	}
}

// An entity is found by predictions alone. A run that is cut short over what the join
// remembers of them, or behind it, leaves them to the next, which finishes.
func TestDaysOfAnEntityAreForgottenByTheNextRun(t *testing.T) {
	w := newWorld(t)
	if w.env.DB.OnCluster() != "" {
		t.Skip("who refuses stands before one server")
	}
	w.complete("p", "predictions", 0, 9)
	ann := erase.Request{Model: "m", Feature: "customer", Value: "ann"}
	for i, fault := range []string{"FROM days_by_id", "FROM labels_by_id", "DELETE WHERE id_day IN", "ALTER TABLE predictions"} {
		w.predict(int64(2*i), "Ann", map[string]string{"customer": "ann"}, nil)
		w.predict(int64(2*i+1), "Bob", map[string]string{"customer": "bob"}, nil)
		w.exec("INSERT INTO days_by_id SELECT " + plumbline.IDDaySQL + " FROM predictions")
		report, err := erase.Run(t.Context(), w.refusing(fault, "159"), ann, time.Now())
		if err == nil {
			t.Fatalf("%s is refused, and all is erased: %+v", fault, report)
		}
		w.erase(ann)
		if n := w.count("SELECT count() FROM days_by_id WHERE " + plumbline.HashOfIDDaySQL + " = bitShiftRight(cityHash64('m', 'Ann'), 16)"); n != 0 {
			t.Errorf("after %s was refused once: %d hashes of Ann are left, and the second run says that she is erased", fault, n)
		}
		if n := w.count("SELECT uniqExact(id_day) FROM days_by_id WHERE " + plumbline.HashOfIDDaySQL + " = bitShiftRight(cityHash64('m', 'Bob'), 16)"); n != 1 {
			t.Errorf("after %s was refused once: no hash of Bob is left", fault)
		}
	}
}

// What the join writes of a person after the last look, and before their predictions
// go, is forgotten behind them.
func TestDaysWrittenMeanwhileAreForgotten(t *testing.T) {
	w := newWorld(t)
	if w.env.DB.OnCluster() != "" {
		t.Skip("who watches stands before one server")
	}
	w.predict(0, "Ann", map[string]string{"customer": "ann"}, nil)
	w.complete("p", "predictions", 0, 0)
	written := false
	db := w.behind(func(statement string) string {
		if strings.Contains(statement, "ALTER TABLE predictions") {
			w.exec("INSERT INTO days_by_id SELECT " + plumbline.IDDaySQL + " FROM predictions")
			written = true
		}
		return ""
	})
	if _, err := erase.Run(t.Context(), db, erase.Request{Model: "m", Feature: "customer", Value: "ann"}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := w.count("SELECT count() FROM days_by_id"); n != 0 || !written {
		t.Errorf("%d hashes of who was erased are left; written meanwhile: %t", n, written)
	}
}

// A label that comes after the look, of the same person on the same day, is still
// found afterwards.
func TestLabelsThatComeMeanwhileAreRemembered(t *testing.T) {
	w := newWorld(t)
	if w.env.DB.OnCluster() != "" {
		t.Skip("who watches stands before one server")
	}
	w.label(0, "Ann", "yes")
	w.complete("l", "labels", 0, 0)
	w.exec("INSERT INTO labels_by_id SELECT " + plumbline.IDKnownSQL + " FROM labels")
	came := false
	db := w.behind(func(statement string) string {
		if !came && strings.Contains(statement, "ALTER TABLE labels_by_id") {
			came = true
			w.label(1, "Ann", "no")
			w.exec("INSERT INTO labels_by_id SELECT " + plumbline.IDKnownSQL + " FROM labels WHERE _offset = 1")
		}
		return ""
	})
	if _, err := erase.Run(t.Context(), db, erase.Request{Model: "m", IDs: []string{"Ann"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if n := w.count("SELECT count() FROM labels_by_id WHERE id_day IN (SELECT " + plumbline.IDKnownSQL + " FROM labels)"); n == 0 || !came {
		t.Errorf("%d hashes of the label that came meanwhile; it came: %t", n, came)
	}
}
