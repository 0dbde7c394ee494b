package join

import (
	"maps"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A label of another model's prediction, one of no prediction, one whose
// prediction comes and one that comes after the retention: each is counted, seen
// in the view and applied only where it belongs.
func TestLabelsThatBelongNowhere(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	prediction := func(model, id, half string, ts time.Time) {
		w.append(row{model: model, id: id, topic: "predictions", epoch: "e", ts: ts, known: ts, deploy: "a", stage: "production", class: "yes", half: half})
	}
	label := func(model, id string) {
		at := start.Add(time.Hour)
		w.append(row{model: model, id: id, topic: "labels", epoch: "e", ts: at, known: at, class: "yes"})
	}
	prediction("m", "good", "", start)
	prediction("n", "keyed wrongly", "", start)
	prediction("m", "asked", "request", start)
	prediction("m", "expired", "", start.AddDate(0, 0, -400))
	for _, id := range []string{"good", "keyed wrongly", "asked", "expired", "orphan", "orphan"} {
		label("m", id)
	}
	testenv.Insert(t, db, "series_hour", []map[string]any{
		{"model": "m", "series": "requests", "count": 1, "time": "2026-03-31 23:00:00"}, {"model": "n", "series": "requests", "count": 1, "time": "2026-03-31 23:00:00"},
	})
	for _, key := range w.pending() {
		w.store(key, 10, true)
	}
	cfg := DefaultConfig()
	registry := prometheus.NewRegistry()
	j, err := New(cfg, Dependencies{DB: db, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	j.raw = 365 * 24 * time.Hour
	j.now = func() time.Time { return start.Add(2 * time.Hour) }
	p, err := j.Step(t.Context())
	if err != nil || p != (Progress{Labels: 6, Waiting: 3, Misdirected: 1, Late: 1, Predictions: 2}) {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, want := range map[string]float64{"labels": 6, "waiting": 3, "misdirected": 1, "late": 1} {
		counters := map[string]prometheus.Counter{"labels": j.metrics.labels, "waiting": j.metrics.waiting, "misdirected": j.metrics.misdirected, "late": j.metrics.late}
		if got := testutil.ToFloat64(counters[name]); got != want {
			t.Errorf("%s: %v counted, want %v", name, got, want)
		}
	}
	compareCells(t, storedCells(t, db), map[cell]counts{{"m", "a", "production", start, start.Add(time.Hour).Truncate(time.Hour), ""}: {1, 1, 1}})

	want := map[string]int{"keyed wrongly: other model n": 1, "asked: no answer ": 1, "expired: too late ": 1, "orphan: unmatched ": 2}
	if got := reasons(t, db); !maps.Equal(got, want) {
		t.Errorf("the view says %v, want %v", got, want)
	}
	if waiting := unjoined(t, db); waiting != 0 {
		t.Errorf("%d labels wait for the join after it", waiting)
	}
}

// A label that awaits the join is not called too late: the one needs patience, the
// other a longer retention.
func TestLabelsThatAwaitTheJoin(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	at := start.Add(time.Hour)
	label := func(id string) {
		w.append(row{model: "m", id: id, topic: "labels", epoch: "e", ts: at, known: at, class: "yes"})
	}
	prediction := func(id string) {
		w.append(row{model: "m", id: id, topic: "predictions", epoch: "e", ts: start, known: start, deploy: "a", stage: "production", class: "yes"})
	}
	const labels, predictions = "labels/e/0", "predictions/e/0"
	check := func(when string, waiting uint64, want map[string]int) {
		t.Helper()
		if got := reasons(t, db); !maps.Equal(got, want) {
			t.Errorf("%s: the view says %v, want %v", when, got, want)
		}
		if got := unjoined(t, db); got != waiting {
			t.Errorf("%s: %d labels wait, want %d", when, got, waiting)
		}
	}
	prediction("first")
	label("first")
	label("early")
	w.store(predictions, 1, true)
	w.store(labels, 2, true)
	check("before any step", 2, map[string]int{"first: not joined ": 1, "early: unmatched ": 1})
	j := newJoin(t, db, 1000)
	drain(t, j)
	check("after a step", 0, map[string]int{"early: unmatched ": 1})
	prediction("early")
	w.store(predictions, 1, true)
	check("once its prediction is stored", 0, map[string]int{"early: not joined ": 1})
	prediction("second")
	label("second")
	w.store(predictions, 1, true)
	drain(t, j)
	w.store(labels, 1, true)
	check("a label more", 1, map[string]int{"second: not joined ": 1})
	drain(t, j)
	check("in the end", 0, map[string]int{})
}

func unjoined(t *testing.T, db *storage.DB) (n uint64) {
	t.Helper()
	if err := db.Conn().QueryRow(t.Context(), "SELECT sum(labels) FROM unjoined_labels").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// reasons counts the labels of model m that the view lists.
func reasons(t *testing.T, db *storage.DB) map[string]int {
	t.Helper()
	rows, err := db.Conn().Query(t.Context(), `SELECT prediction_id, reason, other_model, age_hours > 0
		FROM unmatched_labels(model = 'm', since = '2026-03-31 00:00:00', until = '2026-04-02 00:00:00')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	got := map[string]int{}
	for rows.Next() {
		var (
			id, reason, other string
			aged              bool
		)
		if err := rows.Scan(&id, &reason, &other, &aged); err != nil {
			t.Fatal(err)
		}
		got[id+": "+reason+" "+other]++
	}
	return got
}
