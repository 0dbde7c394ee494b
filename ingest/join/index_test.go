package join

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/testenv"
)

// A label finds its prediction whoever has that one in hand and however far they
// are: days_by_id is how it is found soon, not whether.
func TestLabelsFindPredictionsThatAreNotIndexed(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	at := start.Add(time.Hour)
	for i := range 20 {
		w.append(row{model: "m", id: strconv.Itoa(i), topic: "predictions", epoch: "e", ts: start.AddDate(0, 0, i%3), known: start, deploy: "a", stage: "production", class: "yes"})
	}
	w.append(row{model: "m", id: "1", topic: "labels", epoch: "e", ts: at, known: at, class: "yes"})
	for _, key := range w.pending() {
		w.store(key, 20, true)
	}
	j := newJoin(t, db, 1000)
	for n := 0; j.member == "" || owns(j.member, []string{j.member, "other"}, partition{topic: "predictions", epoch: "e"}) ||
		!owns(j.member, []string{j.member, "other"}, partition{topic: "labels", epoch: "e"}); n++ {
		j.member = strconv.Itoa(n)
	}
	j.members = []string{j.member, "other"}
	count := func(table string) (n uint64) {
		t.Helper()
		if err := db.Conn().QueryRow(t.Context(), "SELECT count() FROM "+table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if p, err := j.Step(t.Context()); err != nil || p != (Progress{Labels: 1, Predictions: 1}) || count("days_by_id") != 0 {
		t.Fatalf("%+v, %v and %d ids indexed; want one prediction, of another's", p, err, count("days_by_id"))
	}
	// A database of the version without the table: all is followed, nothing indexed.
	j.members = nil
	drain(t, j)
	for _, table := range []string{"days_by_id", "labels_by_id", "by_id_cursor"} {
		if err := db.Conn().Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
	w.append(row{model: "m", id: "2", topic: "labels", epoch: "e", ts: at, known: at, class: "no"})
	w.store("labels/e/0", 1, true)
	if p, err := j.Step(t.Context()); err != nil || p != (Progress{Labels: 1, Predictions: 1}) || count("days_by_id") != 20 {
		t.Fatalf("%+v, %v and %d ids indexed; want one prediction and 20", p, err, count("days_by_id"))
	}
	if v, err := j.Verify(t.Context()); err != nil || !v.Equal() || v.Labelled != 2 || v.Correct != 1 {
		t.Errorf("%+v, %v", v, err)
	}
}

// Where a prediction is, is read by its hash: a few granules, whatever the history
// is; of the predictions only what is not indexed yet.
func TestDaysAreReadByHash(t *testing.T) {
	db := startDB(t)
	fill(t, db, 0, 60_000, 3)
	j := newJoin(t, db, DefaultConfig().MaxBatchOffsets)
	drain(t, j)
	if err := db.Conn().Exec(t.Context(), "OPTIMIZE TABLE days_by_id FINAL"); err != nil {
		t.Fatal(err)
	}
	fill(t, db, 60_000, 3, 1)
	if err := j.index(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := j.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.begin(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	plan := explain(t, db, s.sql(daysSQL), s.parameters)
	_, days, found := strings.Cut(plan, "days_by_id")
	if !found || !strings.Contains(days, "Condition: ("+plumbline.HashOfIDDaySQL+" in 3-element set)") || !strings.Contains(days, "Granules: 4/235") {
		t.Errorf("days_by_id is not read by its key:\n%s", plan)
	}
	_, news, _ := strings.Cut(ofPrediction(indexSQL), "(id_day)\n")
	plan = explain(t, db, news, w.predictions.parameters("index_predictions"))
	_, parts, _ := strings.Cut(plan, "Min-Max")
	_, parts, _ = strings.Cut(parts, "Parts: ")
	var left, all int
	if _, err := fmt.Sscanf(parts, "%d/%d", &left, &all); err != nil || left == 0 || left >= all {
		t.Errorf("days without news are read, %d of %d parts, %v:\n%s", left, all, err, plan)
	}
}

// A step sums again the hours that its labels stand in, and reads no others.
func TestOnlyTouchedHoursAreSummedAgain(t *testing.T) {
	db := startDB(t)
	fill(t, db, 0, 30_000, 3)
	j := newJoin(t, db, DefaultConfig().MaxBatchOffsets)
	drain(t, j)
	fill(t, db, 30_000, 2, 1)
	if err := j.index(t.Context()); err != nil {
		t.Fatal(err)
	}
	w, err := j.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.begin(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.write(t.Context(), plumbline.TableOutcomes, s.sql(outcomesSQL), s.parameters); err != nil {
		t.Fatal(err)
	}
	for of, statement := range map[string]string{"toStartOfMinute(ts)": cellsSQL, "toStartOfHour(ts)": hoursSQL} {
		_, sum, _ := strings.Cut(s.sql(statement), "version)\n")
		plan := explain(t, db, sum, s.parameters)
		for _, want := range []string{"(toDate(ts) in 2-element set)", of + ", toStartOfHour(known)) in 2-element set)"} {
			if !strings.Contains(plan, want) {
				t.Errorf("outcomes are not read by %s:\n%s", want, plan)
			}
		}
	}
}

// New predictions that no label waits for are passed over; of others the label is
// joined in their step.
func TestOnlyAwaitedPredictionsTouch(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	j := newJoin(t, db, 1000)
	prediction := func(id string) row {
		return row{model: "m", id: id, topic: "predictions", epoch: "e", ts: start, known: start, deploy: "a", stage: "production", class: "yes"}
	}
	w.append(prediction("a"))
	w.append(row{model: "m", id: "b", topic: "labels", epoch: "e", ts: start, known: start, class: "yes"})
	w.append(row{model: "another", id: "c", topic: "labels", epoch: "e", ts: start, known: start, class: "yes"})
	for _, key := range w.pending() {
		w.store(key, 20, true)
	}
	drain(t, j)
	for id, want := range map[string]bool{"b": true, "c": false} {
		w.append(prediction(id))
		w.store("predictions/e/0", 20, true)
		found, err := j.find(t.Context())
		if err != nil || !found.touches() {
			t.Fatalf("%s: %+v, %v, want something new", id, found, err)
		}
		if s, err := j.begin(t.Context(), found); err != nil || s.touches() != want || len(s.advance) != 1 {
			t.Errorf("%s: %+v, %v, want a label that waits: %v", id, s.work, err, want)
		}
		joined := uint64(0)
		if want {
			joined = 1
		}
		if p, err := j.Step(t.Context()); err != nil || p.Predictions != joined {
			t.Errorf("%s: %+v, %v, want %d predictions", id, p, err, joined)
		}
	}
}

// Labels that are there already are looked up for the ids that have such, and for no
// others: their number makes no difference to the rest.
func TestOnlyEarlierLabelsAreLookedUp(t *testing.T) {
	db := startDB(t)
	fill(t, db, 0, 20_000, 1)
	w := newWorld(t, db)
	j := newJoin(t, db, DefaultConfig().MaxBatchOffsets)
	label := func(id string) {
		w.append(row{model: "m", id: id, topic: "labels", epoch: "e2", ts: start.Add(time.Hour), known: start.Add(time.Hour), class: "late"})
	}
	prediction := func(id string) {
		w.append(row{model: "m", id: id, topic: "predictions", epoch: "e2", ts: start, known: start, deploy: "a", stage: "production", class: "late"})
	}
	label("waits")
	prediction("new")
	prediction("plain")
	for _, key := range w.pending() {
		w.store(key, 20, true)
	}
	drain(t, j)
	label("id7")
	label("new")
	label("none")
	prediction("waits")
	prediction("other")
	for _, key := range w.pending() {
		w.store(key, 20, true)
	}
	if err := j.index(t.Context()); err != nil {
		t.Fatal(err)
	}
	found, err := j.find(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := j.begin(t.Context(), found)
	if err != nil {
		t.Fatal(err)
	}
	hashes := func(ids ...string) (all []uint64) {
		for _, id := range ids {
			var hash uint64
			if err := db.Conn().QueryRow(t.Context(), "SELECT "+plumbline.IDHashSQL+" FROM (SELECT 'm' AS model, {id:String} AS prediction_id)", clickhouse.Named("id", id)).Scan(&hash); err != nil {
				t.Fatal(err)
			}
			all = append(all, hash)
		}
		slices.Sort(all)
		return all
	}
	for name, want := range map[string][]uint64{"waiting": hashes("waits"), "again": hashes("id7", "waits")} {
		i := slices.IndexFunc(s.parameters, func(p any) bool { return p.(driver.NamedValue).Name == name })
		got := s.parameters[i].(driver.NamedValue).Value.([]uint64)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
	if db.OnCluster() == "" { // or the other servers read them, and do not say how
		plan := explain(t, db, s.sql("WITH touched AS (\n/*touched*/\n)\nSELECT count() FROM (\n/*labels*/\n)"), s.parameters)
		if !strings.Contains(plan, "(model, prediction_id) in 2-element set") || !strings.Contains(plan, "Granules: 3/22") {
			t.Errorf("labels are not read by the ids alone:\n%s", plan)
		}
	}
	drain(t, j)
	if v, err := j.Verify(t.Context()); err != nil || !v.Equal() || v.Labelled != 20_002 {
		t.Errorf("%+v, %v", v, err)
	}
}

// A topic may hold predictions and labels: both are followed, by one cursor.
func TestTopicOfPredictionsAndLabels(t *testing.T) {
	const ids, each = 20, 10
	db := startDB(t)
	j := newJoin(t, db, each/2) // a batch is more, and is not split between its tables
	for first := 0; first < 2*ids; first += each {
		kinds := map[string][]map[string]any{}
		for offset := first; offset < first+each; offset++ {
			r := row{model: "m", id: strconv.Itoa(offset / 2), topic: "predictions", ts: start, known: start, epoch: "e", offset: int64(offset), deploy: "a", stage: "production", class: "yes"}
			if offset%2 == 1 {
				// Labels of the first half come late, those of the second half early.
				r.id, r.topic = strconv.Itoa((offset/2+ids/2)%ids), "labels"
			}
			line := r.json()
			line["_topic"] = "both"
			kinds[r.topic] = append(kinds[r.topic], line)
		}
		var batches []map[string]any
		for _, table := range []string{"predictions", "labels"} {
			testenv.Insert(t, db, table, kinds[table])
			batches = append(batches, map[string]any{"topic": "both", "epoch": "e", "partition": 0, "first": first, "last": first + each - 1, "table": table,
				"known_min": stamp(start), "known_max": stamp(start), "ts_min": stamp(start), "ts_max": stamp(start)})
		}
		testenv.Insert(t, db, "batches", batches)
	}
	drain(t, j)
	if v, err := j.Verify(t.Context()); err != nil || !v.Equal() || v.Labelled != ids || v.Correct != ids {
		t.Errorf("%+v, %v", v, err)
	}
}
