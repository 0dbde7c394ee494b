package join

import (
	"strconv"
	"strings"
	"testing"

	"github.com/plumbline-slo/plumbline/storage"
)

// fill stores n predictions over a span of days and a label for each, made by
// the engine itself, in batches of 20,000 offsets. Offsets begin at from.
func fill(tb testing.TB, db *storage.DB, from, n, days int) {
	tb.Helper()
	statement := func(sql string) {
		tb.Helper()
		replace := strings.NewReplacer("$from", strconv.Itoa(from), "$n", strconv.Itoa(n), "$days", strconv.Itoa(days))
		if err := db.Conn().Exec(tb.Context(), replace.Replace(sql)); err != nil {
			tb.Fatal(err)
		}
	}
	const known = "toDateTime64('2026-03-31 23:30:00', 3, 'UTC') + toIntervalMillisecond(intDiv(number * $days * 86400000, $n))"
	statement(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, predicted, known, _topic, _epoch, _partition, _offset)
		SELECT 'm', 'a', 'production', concat('id', toString($from + number)), ` + known + ` AS at, if(number % 3 = 0, 'late', 'on_time'), at, 'predictions', 'e', 0, $from + number
		FROM numbers($n)`)
	statement(`INSERT INTO labels (model, prediction_id, ts, label, known, _topic, _epoch, _partition, _offset)
		SELECT 'm', concat('id', toString($from + number)), ` + known + ` + toIntervalHour(2) AS at, if(number % 2 = 0, 'late', 'on_time'), at, 'labels', 'e', 0, $from + number
		FROM numbers($n)`)
	for _, table := range []string{"predictions", "labels"} {
		statement(`INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max, ts_min, ts_max)
			SELECT _topic, _epoch, _partition, min(_offset), max(_offset), '` + table + `', min(known), max(known), min(ts), max(ts)
			FROM ` + table + ` WHERE _offset >= $from GROUP BY _topic, _epoch, _partition, intDiv(_offset, 20000)`)
	}
}

// A backfill is joined in a few steps, and looking a label up reads the index
// and the projection, not the history.
func TestBackfillReadsByIndex(t *testing.T) {
	db := startDB(t)
	fill(t, db, 0, 60_000, 1)
	j := newJoin(t, db, DefaultConfig().MaxBatchOffsets)
	p, err := j.Step(t.Context())
	if err != nil || p.Labels != 60_000 || p.Waiting != 0 || p.Predictions != 60_000 || p.More {
		t.Fatalf("%+v, %v", p, err)
	}
	v, err := j.Verify(t.Context())
	if err != nil || !v.Equal() || v.Labelled != 60_000 || v.Correct != 30_000 {
		t.Fatalf("%+v, %v", v, err)
	}
	fill(t, db, 60_000, 10, 1)
	w, err := j.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// Everything that is read of a prediction is in the projection.
	s, err := j.begin(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	_, statement, _ := strings.Cut(s.sql(outcomesSQL), "version)\n")
	plan := explain(t, db, statement, s.parameters)
	if !strings.Contains(plan, "by_id") {
		t.Errorf("predictions are not read through the projection by id:\n%s", plan)
	}
}

func explain(t *testing.T, db *storage.DB, query string, parameters []any) string {
	t.Helper()
	rows, err := db.Conn().Query(t.Context(), "EXPLAIN indexes = 1 "+query, parameters...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(lines, "\n")
}
