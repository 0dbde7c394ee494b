package burn

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func sortChanges(changes []change) {
	slices.SortStableFunc(changes, func(a, b change) int { return a.known.Compare(b.known) })
}

func startDB(tb testing.TB) *storage.DB {
	tb.Helper()
	return testenv.Start(tb, testenv.Setup{Storage: testenv.KeepAll}).DB
}

// european says which events lie in the segment region=eu.
func european(i int) bool { return i%3 == 0 }

// storeEvents writes what ingest and the join would have written, in all traffic
// and in the segment.
func storeEvents(t *testing.T, db *storage.DB, deploy string, events []event) {
	t.Helper()
	var requests, outcomes, cells []map[string]any
	for i, e := range events {
		key := map[string]any{"model": "m", "deploy_hash": deploy, "stage": "production"}
		slices := []map[string]any{{"segment": ""}}
		segments := []string{}
		if european(i) {
			segments = []string{"region=eu"}
			slices = append(slices, map[string]any{"segment": segments[0]})
		}
		for _, s := range slices {
			requests = append(requests, merge(merge(key, s), map[string]any{"series": "requests", "time": e.at.Truncate(time.Minute).Unix(), "count": 1}))
		}
		if e.known.IsZero() {
			continue
		}
		outcome := map[string]any{
			"prediction_id": fmt.Sprint(i), "ts": e.at.UnixMilli(), "known": e.known.Truncate(time.Millisecond).UnixMilli(),
			"label_offset": i, "labelled": 1, "correct": 0, "version": 2, "segments": segments,
		}
		if e.correct {
			outcome["correct"] = 1
		}
		outcomes = append(outcomes, merge(key, outcome))
		for _, s := range slices {
			cells = append(cells, merge(merge(key, s), map[string]any{
				"time": e.at.Truncate(time.Minute).Unix(), "known": e.known.Truncate(time.Hour).Unix(),
				"labelled": 1, "correct": outcome["correct"], "version": 1,
			}))
		}
	}
	testenv.Insert(t, db, "series_minute", requests)
	// Decimal seconds would be read as such; milliseconds need the function.
	insertMillis(t, db, outcomes)
	insertSummed(t, db, cells)
}

func merge(a, b map[string]any) map[string]any {
	sum := make(map[string]any, len(a)+len(b))
	for k, v := range a {
		sum[k] = v
	}
	for k, v := range b {
		sum[k] = v
	}
	return sum
}

func insertMillis(t *testing.T, db *storage.DB, outcomes []map[string]any) {
	t.Helper()
	for _, o := range outcomes {
		for _, column := range []string{"ts", "known"} {
			o[column] = time.UnixMilli(o[column].(int64)).UTC().Format("2006-01-02 15:04:05.000")
		}
	}
	testenv.Insert(t, db, "outcomes", outcomes)
}

// insertSummed writes one cell a key, as the join does.
func insertSummed(t *testing.T, db *storage.DB, cells []map[string]any) {
	t.Helper()
	sums := map[string]map[string]any{}
	for _, c := range cells {
		key := fmt.Sprint(c["deploy_hash"], c["segment"], c["time"], c["known"])
		if s, ok := sums[key]; ok {
			s["labelled"], s["correct"] = s["labelled"].(int)+1, s["correct"].(int)+c["correct"].(int)
			continue
		}
		sums[key] = c
	}
	var rows []map[string]any
	for _, c := range sums {
		rows = append(rows, c)
	}
	testenv.Insert(t, db, "outcome_cells", rows)
}

func TestReaderEqualsBruteForce(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(21, 22))
	const n = 180
	deploys := map[plumbline.DeployHash][]event{}
	for _, d := range []plumbline.DeployHash{"a", "b'; DROP"} {
		events := randomEvents(random, n)
		for i := range events {
			events[i].known = events[i].known.Truncate(time.Millisecond)
		}
		for len(events) < 300 {
			events = append(events, randomEvents(random, n)...)
		}
		deploys[d] = events
		storeEvents(t, db, string(d), events)
	}
	r := Reader{Conn: db.Conn(), MaxLag: 24 * time.Hour}
	o := plumbline.Objective{
		SLO:   plumbline.SLO{Name: "s", Model: "m", Target: .7, MinCoverage: .3},
		Pairs: []plumbline.WindowPair{pair(time.Hour, 5*time.Minute, 1.5), pair(2*time.Hour, 10*time.Minute, 1)},
	}
	for range 10 {
		at := origin.Add(time.Duration(random.IntN(n*60_000)) * time.Millisecond)
		for d, events := range deploys {
			got, err := r.AsKnownAt(t.Context(), o, d, at)
			if err != nil {
				t.Fatal(err)
			}
			m := minutesOf(events, n, at)
			for i, p := range o.Pairs {
				if want := Evaluate(m, at, o.SLO, p, 2); !reflect.DeepEqual(got[i], want) {
					t.Fatalf("deploy %s as known at %s:\n got %+v\nwant %+v", d, at, got[i], want)
				}
			}
		}
	}
	now := origin.Add(10 * time.Hour)
	all, err := r.Now(t.Context(), o, now)
	if err != nil || len(all) != 2 {
		t.Fatalf("%d deploys, %v", len(all), err)
	}
	for d, events := range deploys {
		for i, p := range o.Pairs {
			if want := Evaluate(minutesOf(events, 601, now), now, o.SLO, p, 2); all[d][i].Long != want.Long || all[d][i].Verdict != want.Verdict {
				t.Errorf("deploy %s now:\n got %+v\nwant %+v", d, all[d][i], want)
			}
		}
	}
}

func TestReaderOfASegmentEqualsBruteForce(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(23, 24))
	const n = 180
	var events, within []event
	for len(events) < 900 {
		events = append(events, randomEvents(random, n)...)
	}
	for i := range events {
		events[i].known = events[i].known.Truncate(time.Millisecond)
		if european(i) {
			within = append(within, events[i])
		}
	}
	storeEvents(t, db, "a", events)
	r := Reader{Conn: db.Conn(), MaxLag: 24 * time.Hour}
	o := plumbline.Objective{
		SLO:   plumbline.SLO{Name: "s", Model: "m", Segment: "region=eu", Target: .7, MinCoverage: .3},
		Pairs: []plumbline.WindowPair{pair(time.Hour, 5*time.Minute, 1.5)},
	}
	at := origin.Add(100 * time.Minute)
	got, err := r.AsKnownAt(t.Context(), o, "a", at)
	if want := Evaluate(minutesOf(within, n, at), at, o.SLO, o.Pairs[0], 1); err != nil || !reflect.DeepEqual(got[0], want) || want.Long.Labelled == 0 {
		t.Errorf("as known at %s:\n got %+v, %v\nwant %+v", at, got, err, want)
	}
	now := origin.Add(10 * time.Hour)
	all, err := r.Now(t.Context(), o, now)
	if err != nil {
		t.Fatal(err)
	}
	if want := Evaluate(minutesOf(within, 601, now), now, o.SLO, o.Pairs[0], 1); all["a"][0].Long != want.Long || all["a"][0].Verdict != want.Verdict {
		t.Errorf("now:\n got %+v\nwant %+v", all["a"][0], want)
	}
	o.SLO.Segment = "region=us"
	if all, err := r.Now(t.Context(), o, now); err != nil || len(all) != 0 {
		t.Errorf("a segment without traffic: %+v, %v, want nothing known", all, err)
	}
}

func TestUnknownDeployIsMissing(t *testing.T) {
	db := startDB(t)
	o := plumbline.Objective{SLO: plumbline.SLO{Name: "s", Model: "m", Target: .7}, Pairs: []plumbline.WindowPair{pair(time.Hour, 5*time.Minute, 1)}}
	got, err := Reader{Conn: db.Conn()}.AsKnownAt(t.Context(), o, "none", origin)
	if err != nil || len(got) != 1 || got[0].Verdict != plumbline.VerdictMissing {
		t.Errorf("%+v, %v", got, err)
	}
}
