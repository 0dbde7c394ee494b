package join

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/plumbline-slo/plumbline/storage"
)

var errKilled = errors.New("killed")

func newJoin(t *testing.T, db *storage.DB, limit int64) *Join {
	t.Helper()
	cfg := DefaultConfig()
	cfg.MaxBatchOffsets, cfg.Segments = limit, declared()
	j, err := New(cfg, Dependencies{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// drain steps until nothing is left.
func drain(t *testing.T, j *Join) {
	t.Helper()
	for {
		p, err := j.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !p.More {
			return
		}
	}
}

func truncate(t *testing.T, db *storage.DB) {
	t.Helper()
	for _, table := range []string{"predictions", "labels", "batches", "outcomes", "outcome_cells", "outcome_hours", "join_cursor", "days_by_id", "labels_by_id", "by_id_cursor", "join_members"} {
		if err := db.Conn().Exec(t.Context(), "TRUNCATE TABLE "+table); err != nil {
			t.Fatal(err)
		}
	}
}

// act does one random thing: store a batch, leave a batch incomplete and take
// it back, or step, perhaps killed on the way.
func act(t *testing.T, w *world, random *rand.Rand, joiners []*Join) {
	t.Helper()
	keys := w.pending()
	slices.Sort(keys)
	key := keys[random.IntN(len(keys))]
	switch random.IntN(6) {
	case 0:
		w.store(key, 1+random.IntN(10), false)
		mortalStep(t, joiners[random.IntN(len(joiners))], random)
		w.takeBack(key)
	case 1, 2:
		mortalStep(t, joiners[random.IntN(len(joiners))], random)
	default:
		w.store(key, 1+random.IntN(40), true)
	}
}

// mortalStep runs one step that is killed at a random place in half of the cases.
func mortalStep(t *testing.T, j *Join, random *rand.Rand) {
	t.Helper()
	fatal := random.IntN(9)
	n := 0
	j.before = func(string) error {
		n++
		if n-1 == fatal {
			return errKilled
		}
		return nil
	}
	if _, err := j.Step(t.Context()); err != nil && !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	j.before = func(string) error { return nil }
}

func TestCellsEqualTheOracleForAnyHistory(t *testing.T) {
	db := startDB(t)
	for seed := range uint64(2) {
		truncate(t, db)
		random := rand.New(rand.NewPCG(seed, 1))
		w := newWorld(t, db)
		w.history(random, 160)
		joiners := []*Join{newJoin(t, db, 15), newJoin(t, db, 1000)}
		joiners[0].told = 1
		for len(w.pending()) > 0 {
			act(t, w, random, joiners)
		}
		drain(t, joiners[seed%2])

		var rows []row
		for _, log := range w.logs {
			rows = append(rows, log...)
		}
		want := oracle(rows)
		if len(want) < 25 {
			t.Fatalf("seed %d: the history makes only %d cells, so the test says little", seed, len(want))
		}
		compareCells(t, storedCells(t, db), want)
		v, err := joiners[0].Verify(t.Context())
		if err != nil || !v.Equal() || v.Labelled != v.WantLabelled {
			t.Errorf("seed %d: the batch oracle says %+v, %v", seed, v, err)
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func TestConcurrentJoinersAgree(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(7, 7))
	w := newWorld(t, db)
	w.history(random, 160)
	var (
		wg   sync.WaitGroup
		stop = make(chan struct{})
		errs = make(chan error, 3)
	)
	for range 3 {
		j := newJoin(t, db, 25)
		// Each knows that there are others, and follows everything all the same.
		j.cfg.MemberTimeout = time.Hour
		if err := j.say(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			for {
				if _, err := j.Step(t.Context()); err != nil {
					errs <- err
					return
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for len(w.pending()) > 0 {
		keys := w.pending()
		slices.Sort(keys)
		w.store(keys[random.IntN(len(keys))], 1+random.IntN(20), true)
	}
	close(stop)
	wg.Wait()
	close(errs)
	for err := range errs {
		t.Fatal(err)
	}
	drain(t, newJoin(t, db, 1000))
	var rows []row
	for _, log := range w.logs {
		rows = append(rows, log...)
	}
	compareCells(t, storedCells(t, db), oracle(rows))
}

func TestStepSaysWhatItDid(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	j := newJoin(t, db, 1000)
	if p, err := j.Step(t.Context()); err != nil || p != (Progress{}) {
		t.Fatalf("step over nothing: %+v, %v", p, err)
	}
	label := row{model: "m", id: "1", topic: "labels", epoch: "e", ts: start.Add(time.Hour), known: start.Add(time.Hour), class: "yes"}
	w.append(label)
	w.store("labels/e/0", 1, true)
	if p, err := j.Step(t.Context()); err != nil || p != (Progress{Labels: 1, Waiting: 1}) {
		t.Fatalf("a label before its prediction: %+v, %v", p, err)
	}
	if cells := storedCells(t, db); len(cells) != 0 {
		t.Fatalf("cells without a prediction: %v", cells)
	}
	w.append(row{model: "m", id: "1", topic: "predictions", epoch: "e", ts: start, known: start, deploy: "a", stage: "production", class: "yes"})
	w.store("predictions/e/0", 1, true)
	if p, err := j.Step(t.Context()); err != nil || p != (Progress{Predictions: 1}) {
		t.Fatalf("the prediction arrives: %+v, %v", p, err)
	}
	compareCells(t, storedCells(t, db), map[cell]counts{
		{"m", "a", "production", start, start.Add(time.Hour).Truncate(time.Hour), ""}: {1, 1, 1},
	})
	if p, err := j.Step(t.Context()); err != nil || p != (Progress{}) {
		t.Fatalf("nothing new: %+v, %v", p, err)
	}
}

func TestVerifyFindsAWrongCell(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	w.history(rand.New(rand.NewPCG(3, 3)), 100)
	for len(w.pending()) > 0 {
		w.store(w.pending()[0], 1000, true)
	}
	j := newJoin(t, db, 1000)
	drain(t, j)
	if v, err := j.Verify(t.Context()); err != nil || !v.Equal() {
		t.Fatalf("%+v, %v", v, err)
	}
	wrong := "INSERT INTO outcome_cells SELECT * REPLACE (labelled + 1 AS labelled, version + 1 AS version) FROM outcome_cells FINAL LIMIT 1"
	if err := db.Conn().Exec(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	if v, err := j.Verify(t.Context()); err != nil || v.Differ != 1 || v.Labelled != v.WantLabelled+1 || v.HoursDiffer > 0 {
		t.Fatalf("a cell that is one too high: %+v, %v", v, err)
	}
	wrong = "INSERT INTO outcome_hours SELECT * REPLACE (squared_atto + 1 AS squared_atto, version + 1 AS version) FROM outcome_hours FINAL WHERE segment = '' AND errors > 0 LIMIT 1"
	if err := db.Conn().Exec(t.Context(), wrong); err != nil {
		t.Fatal(err)
	}
	if v, err := j.Verify(t.Context()); err != nil || v.HoursDiffer != 1 {
		t.Fatalf("an hour that is one too high: %+v, %v", v, err)
	}
}

// Run repeats a step that was killed, and ends with its context.
func TestRunRepeatsAKilledStep(t *testing.T) {
	db := startDB(t)
	w := newWorld(t, db)
	w.append(row{model: "m", id: "1", topic: "predictions", epoch: "e", ts: start, known: start, deploy: "a", stage: "production", class: "yes"})
	w.append(row{model: "m", id: "1", topic: "labels", epoch: "e", ts: start, known: start.Add(time.Hour), class: "yes"})
	w.store("predictions/e/0", 1, true)
	w.store("labels/e/0", 1, true)
	cfg := DefaultConfig()
	cfg.Interval = time.Millisecond
	registry := prometheus.NewRegistry()
	j, err := New(cfg, Dependencies{DB: db, Registerer: registry})
	if err != nil {
		t.Fatal(err)
	}
	kills, saved := 2, make(chan struct{}, 1)
	j.before = func(statement string) error {
		if kills > 0 {
			kills--
			return errKilled
		}
		if statement == "join_cursor" {
			saved <- struct{}{}
		}
		return nil
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- j.Run(ctx) }()
	<-saved
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run: %v", err)
	}
	compareCells(t, storedCells(t, db), map[cell]counts{{"m", "a", "production", start, start.Add(time.Hour).Truncate(time.Hour), ""}: {1, 1, 1}})
	if n := testutil.ToFloat64(j.metrics.errors); n != 2 {
		t.Errorf("%v steps counted as errors, want 2", n)
	}
	if _, err := New(cfg, Dependencies{DB: db, Registerer: registry}); err == nil {
		t.Error("metrics registered twice without an error")
	}
	if err := (Config{}).Validate(); err == nil {
		t.Error("an empty configuration is valid")
	}
}
