package join

import (
	"testing"
	"time"
)

// A ClickHouse that is killed after it has noted a statement's deduplication
// hash and before its rows are visible drops the same rows ever after, with the
// answer of a success. Rows deleted behind their hashes leave the same state.
func TestHashWithoutRowsLosesNothing(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	w.append(row{model: "m", id: "a", ts: start, known: start, topic: "predictions", epoch: "e1", deploy: "d", stage: "production", class: "late"})
	w.append(row{model: "m", id: "a", ts: start, known: start.Add(time.Minute), topic: "labels", epoch: "e1", class: "late"})
	for _, key := range w.pending() {
		w.store(key, 1, true)
	}
	tables := []string{"outcomes", "outcome_cells", "join_cursor", "days_by_id", "labels_by_id", "by_id_cursor"}
	count := func(table string) (n uint64) {
		t.Helper()
		if err := db.Conn().QueryRow(t.Context(), "SELECT count() FROM (SELECT DISTINCT * FROM "+table+")").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	j := newJoin(t, db, 1000)
	drain(t, j)
	want := map[string]uint64{}
	for _, table := range tables {
		want[table] = count(table)
		if want[table] == 0 {
			t.Fatalf("nothing in %s", table)
		}
		if err := db.Conn().Exec(t.Context(), "ALTER TABLE "+table+" DELETE WHERE 1 SETTINGS mutations_sync = 2"); err != nil {
			t.Fatal(err)
		}
	}
	drain(t, j)
	for _, table := range tables {
		if got := count(table); got != want[table] {
			t.Errorf("%d rows in %s after it was written again, want %d", got, table, want[table])
		}
	}
}
