package join

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Of two processes that sum one hour at once, the one that has read less may write
// a class or a segment last that the other found no need to cancel. It looks, and
// takes it back.
func TestWhoWritesLastTakesBackWhatIsStale(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	at := start.Add(time.Hour).Truncate(time.Hour)
	w.append(row{model: "m", id: "1", topic: "predictions", epoch: "e", ts: start, known: start, deploy: "a", stage: "production", class: "yes", segments: map[string]string{"region": "eu"}})
	w.append(row{model: "m", id: "1", topic: "labels", epoch: "e", ts: at, known: at, class: "yes"})
	w.append(row{model: "m", id: "1", topic: "labels", epoch: "e", ts: at.Add(time.Minute), known: at.Add(time.Minute), class: "no"})
	w.store("predictions/e/0", 1, true)
	w.store("labels/e/0", 1, true)
	slow, quick := newJoin(t, db, 1000), newJoin(t, db, 1000)
	slow.cfg.MemberTimeout = time.Hour
	if err := slow.index(t.Context()); err != nil {
		t.Fatal(err)
	}
	under, err := slow.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := slow.begin(t.Context(), under)
	if err != nil {
		t.Fatal(err)
	}
	drain(t, quick)
	exec := func(statement string) {
		t.Helper()
		if err := db.Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	tables := []string{"outcome_cells", "outcome_hours"}
	for _, table := range tables {
		exec("CREATE TABLE slow_" + table + " AS " + table)
		exec("INSERT INTO slow_" + table + " SELECT * FROM " + table + " FINAL")
	}
	w.store("labels/e/0", 1, true)
	drain(t, quick)
	// What the slow one sums of the first label comes now, as to the quick one's eyes
	// it was never there: that one wrote no zeros of it.
	exec("ALTER TABLE outcome_hours DELETE WHERE label = 'yes' SETTINGS mutations_sync = 2")
	exec("INSERT INTO outcome_hours SELECT * FROM slow_outcome_hours")
	exec("INSERT INTO outcome_cells SELECT * REPLACE ('region=us' AS segment) FROM (SELECT * FROM slow_outcome_cells WHERE segment = 'region=eu')")
	if v, err := slow.Verify(t.Context()); err != nil || v.HoursDiffer == 0 || v.SegmentsDiffer == 0 {
		t.Fatalf("nothing is stale: %+v, %v", v, err)
	}
	if err := slow.mend(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(slow.metrics.mended); n != 0 {
		t.Errorf("who is alone looked for what others left, %v times", n)
	}
	if err := quick.beat(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := slow.mend(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(slow.metrics.mended); n != 1 {
		t.Errorf("summed again %v times, want once", n)
	}
	if v, err := slow.Verify(t.Context()); err != nil || !v.Equal() || v.Labelled != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}
