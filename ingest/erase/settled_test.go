package erase_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/erase"
)

// An outcome that the join was writing when the label went is erased, too.
func TestOutcomesUnderWayAreErased(t *testing.T) {
	w := newWorld(t)
	w.predict(0, "p", nil, nil)
	w.label(100, "p", "yes")
	w.complete("p", "predictions", 0, 100)
	w.complete("l", "labels", 0, 4000)
	const insert = "INSERT INTO outcomes (model, deploy_hash, stage, prediction_id, ts, known, label, labelled, version) " +
		"SELECT 'm', 'd', 'production', prediction_id, ts, known, label, 1, 1 FROM labels WHERE NOT ignore((SELECT count() FROM numbers(%d) WHERE NOT ignore(sleepEachRow(0.1)))) SETTINGS function_sleep_max_microseconds_per_block = 10000000, max_block_size = 1"
	written := make(chan error, 1)
	go func() { written <- w.env.DB.Conn().Exec(t.Context(), fmt.Sprintf(insert, 10)) }()
	until := time.Now().Add(5 * time.Minute)
	for w.count("SELECT count() FROM system.processes WHERE query_kind = 'Insert' AND position(query, 'sleepEachRow') > 0") == 0 {
		select {
		case err := <-written:
			t.Fatalf("the insert ended before it was seen: %v", err)
		default:
		}
		if time.Now().After(until) {
			t.Fatal("the insert was never seen")
		}
	}
	report := w.erase(erase.Request{IDs: []string{"p"}})
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"predictions", "labels", "outcomes"} {
		if n := w.count("SELECT count() FROM " + table + " WHERE prediction_id = 'p'"); n != 0 {
			t.Errorf("%s: %d rows are left: %+v", table, n, report)
		}
	}
}
