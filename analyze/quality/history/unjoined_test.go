package history_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

// listening remembers the last statement about batches.
type listening struct {
	history.Querier
	statement  string
	parameters []any
}

func (l *listening) Query(ctx context.Context, query string, args ...any) (driver.Rows, error) {
	if strings.Contains(query, "FROM batches") {
		l.statement, l.parameters = query, args
	}
	return l.Querier.Query(ctx, query, args...)
}

// batches stores batches of ten offsets each, [from, to) in tens.
func batches(t *testing.T, db *storage.DB, table, topic, epoch string, partition, from, to int) {
	t.Helper()
	err := db.Conn().Exec(t.Context(), fmt.Sprintf(`INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, known_min, known_max)
		SELECT '%s', '%s', %d, 10 * number, 10 * number + 9, '%s', 7, 10, toDateTime64('2026-05-01 00:00:00', 3, 'UTC') + number, toDateTime64('2026-05-01 00:00:01', 3, 'UTC') + number
		FROM numbers(%d, %d)`, topic, epoch, partition, table, from, to-from))
	if err != nil {
		t.Fatal(err)
	}
}

func joined(t *testing.T, db *storage.DB, topic, epoch string, partition, done int) {
	t.Helper()
	testenv.Insert(t, db, "join_cursor", []map[string]any{{"topic": topic, "epoch": epoch, "partition": partition, "done": done}})
}

// viewed is what the view says, which reads everything.
func viewed(t *testing.T, db *storage.DB) (all []history.Unjoined) {
	t.Helper()
	rows, err := db.Conn().Query(t.Context(), "SELECT topic, epoch, partition, joined_before, labels, oldest FROM unjoined_labels ORDER BY topic, epoch, partition")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var u history.Unjoined
		if err := rows.Scan(&u.Topic, &u.Epoch, &u.Partition, &u.JoinedBefore, &u.Labels, &u.Oldest); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// What waits for the join is what the view says it is, and is found without reading
// what was joined long ago, however much that is.
func TestUnjoinedReadsWhatIsNew(t *testing.T) {
	db := startDB(t)
	heard := &listening{Querier: db.Conn()}
	reader := history.Reader{Conn: heard}
	same := func(when string, want uint64) []history.Unjoined {
		t.Helper()
		got, err := reader.Unjoined(t.Context())
		if view := viewed(t, db); err != nil || !slices.Equal(got, view) || history.Waiting(got, time.Time{}) != want {
			t.Errorf("%s: %+v, %v; the view says %+v, want %d labels", when, got, err, view, want)
		}
		return got
	}
	same("nothing is stored", 0)
	batches(t, db, "labels", "labels", "e", 0, 0, 3)
	same("nothing is joined", 21)

	// A year of batches in three partitions, and what is new in one of them; one that the
	// join does not know, one of an epoch that is over, and one across the cursor.
	read := func() (rows uint64) {
		t.Helper()
		plan, err := db.Conn().Query(t.Context(), "EXPLAIN ESTIMATE "+heard.statement, heard.parameters...)
		if err != nil {
			t.Fatal(err)
		}
		defer plan.Close()
		for plan.Next() {
			var (
				database, table     string
				parts, found, marks uint64
			)
			if err := plan.Scan(&database, &table, &parts, &found, &marks); err != nil {
				t.Fatal(err)
			}
			rows += found
		}
		if err := plan.Err(); err != nil {
			t.Fatal(err)
		}
		return rows
	}
	const many = 150_000
	var first uint64
	for year := 1; year <= 2; year++ {
		end := many * year
		for partition := range 3 {
			batches(t, db, "labels", "labels", "e", partition, end-many, end)
			joined(t, db, "labels", "e", partition, 10*end-1)
		}
		batches(t, db, "predictions", "predictions", "e", 0, end-many, end)
		joined(t, db, "predictions", "e", 0, 10*end-1)
		joined(t, db, "labels", "former", 0, 99)
		same("everything is joined", 0)
		batches(t, db, "predictions", "predictions", "e", 0, end, end+5)
		batches(t, db, "labels", "labels", "e", 1, end, end+5)
		batches(t, db, "labels", "new", "e", 0, 0, year)
		testenv.Insert(t, db, "batches", []map[string]any{{"topic": "labels", "epoch": "e", "partition": 2, "first": 10*end - 50, "last": 10*end + 1, "table": "labels", "rows": 2, "known_min": "2026-05-02 00:00:00"}})
		got := same("some is not", 35+7+2)
		if early := history.Waiting(got, got[1].Oldest.Add(time.Second)); early != 7+2 {
			t.Errorf("%d labels wait that became known early, want 9", early)
		}
		if err := db.Conn().Exec(t.Context(), "OPTIMIZE TABLE batches FINAL"); err != nil {
			t.Fatal(err)
		}
		same("parts are merged", 35+7+2)
		var stored uint64
		if err := db.Conn().QueryRow(t.Context(), "SELECT count() FROM batches").Scan(&stored); err != nil {
			t.Fatal(err)
		}
		// Of five followed partitions and the rest: ten thousand batches each, and at either
		// end a granule that they share.
		rows := read()
		if t.Logf("year %d: %d of %d batches are read", year, rows, stored); rows == 0 || rows > 6*(10_000+2*8192) {
			t.Errorf("%d of %d batches are read", rows, stored)
		}
		if year == 1 {
			first = rows
		} else if rows > first+first/4 {
			t.Errorf("%d batches are read after a year, %d after two", first, rows)
		}
		joined(t, db, "labels", "e", 1, 10*end+49)
		joined(t, db, "labels", "e", 2, 10*end+1)
		joined(t, db, "new", "e", 0, 10*year-1)
		same("it is joined in the end", 0)
	}
}

// Labels that wait are no part of a maturity, which says how many they are.
func TestMaturityTellsOfLabelsThatWait(t *testing.T) {
	db := startDB(t)
	from := now.Add(-2 * day)
	store(t, db, "m", world(rand.New(rand.NewPCG(57, 57)), 300, from, now), now)
	roll(t, db, history.Scope{Model: "m", Strata: byLead, Classes: []string{"no", "yes"}, From: from, To: now})
	asker := forecast.Asker{Reader: history.Reader{Conn: db.Conn()}, Config: forecast.DefaultConfig(), Now: func() time.Time { return now }}
	ask := func(at time.Time, want uint64) {
		t.Helper()
		m, err := asker.Ask(t.Context(), forecast.Asked{Model: "m", Windows: []time.Duration{day}, Share: 0.9, At: at})
		if err != nil || m.Unjoined != want {
			t.Errorf("at %s: %d labels wait, want %d: %v", at, m.Unjoined, want, err)
		}
	}
	ask(time.Time{}, 0)
	testenv.Insert(t, db, "batches", []map[string]any{{"topic": "labels", "epoch": "e", "partition": 0, "first": 0, "last": 9, "table": "labels", "rows": 10, "events": 10, "known_min": now.Add(-time.Hour).Format(time.DateTime)}})
	ask(time.Time{}, 10)
	ask(now.Add(-2*time.Hour), 0)
}

func TestWaitingInWords(t *testing.T) {
	for labels, want := range map[uint64]string{0: "", 1: "1 label, of this or another model, is stored", 12: "12 labels, of this or another model, are stored"} {
		if got := history.WaitingInWords(labels); !strings.HasPrefix(got, want) || (got == "") != (want == "") {
			t.Errorf("%d: %q", labels, got)
		}
	}
}
