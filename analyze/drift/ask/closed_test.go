package ask

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv"
)

// histograms counts how often histograms are read.
type histograms struct {
	drift.Querier
	read *atomic.Int32
}

func (h histograms) QueryFormat(ctx context.Context, format, query string, args ...any) (io.ReadCloser, error) {
	h.read.Add(1)
	return h.Querier.QueryFormat(ctx, format, query, args...)
}

// twoDays is a short world that ends at end.
func twoDays(random *rand.Rand) []event {
	var events []event
	for at := end.Add(-2 * day); at.Before(end); at = at.Add(7 * time.Minute) {
		e := event{deploy: "v1", stage: plumbline.StageProduction, at: at, region: "eu", kind: "card", amount: random.NormFloat64(), score: random.Float64()}
		events = append(events, e)
	}
	return events
}

// again reads a window with what is kept of it, and checks that it is the window
// as it is, and how many times histograms were read for it.
func again(t *testing.T, db *storage.DB, q drift.Query, until time.Time, before *drift.Closed, reads int32) *drift.Closed {
	t.Helper()
	want, err := drift.Reader{Conn: db.Conn()}.Read(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	conn := histograms{Querier: db.Conn(), read: new(atomic.Int32)}
	got, closed, err := drift.Reader{Conn: conn}.ReadAgain(t.Context(), q, until, before)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if n := conn.read.Load(); n != reads {
		t.Errorf("histograms were read %d times, want %d", n, reads)
	}
	return closed
}

// What is kept of closed hours is used as long as they are the same, and nothing
// that comes in for them is missed.
func TestClosedHoursAreReadOnce(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, "pay", twoDays(rand.New(rand.NewPCG(3, 4))))
	q := drift.Query{Model: "pay", Stage: plumbline.StageProduction, From: end.Add(-day), To: end}
	until := end.Add(-3*time.Hour + 10*time.Minute)
	if closed := again(t, db, q, q.From, nil, 1); closed != nil {
		t.Error("a window without closed hours leaves some")
	}
	kept := again(t, db, q, until, nil, 2)
	same := func(what string, want bool) {
		t.Helper()
		reads := int32(1) // of the open hours
		if !want {
			reads++
		}
		closed := again(t, db, q, until, kept, reads)
		if (closed == kept) != want {
			t.Errorf("%s: the closed hours are the same: %t, want %t", what, closed == kept, want)
		}
		kept = closed
	}
	same("nothing happened", true)
	if err := db.Conn().Exec(t.Context(), "OPTIMIZE TABLE series_hour FINAL"); err != nil {
		t.Fatal(err)
	}
	same("parts were merged", true)
	closed, open := end.Add(-20*time.Hour), until.Truncate(time.Hour)
	for _, late := range []struct {
		what   string
		event  event
		model  string
		unseen bool
	}{
		{what: "a late event", event: event{at: closed, amount: 7}},
		{what: "one of the last closed hour", event: event{at: open.Add(-time.Second), amount: 7}},
		{what: "one that is NaN", event: event{at: closed, amount: math.NaN()}},
		{what: "one without the feature", event: event{at: closed}},
		{what: "one of an open hour", event: event{at: open, amount: 7}, unseen: true},
		{what: "one of another hour", event: event{at: end.Add(-30 * time.Hour), amount: 7}, unseen: true},
		{what: "one of another model", event: event{at: closed, amount: 7}, model: "other", unseen: true},
	} {
		r := newRollups(cmp.Or(late.model, "pay"))
		e := late.event
		e.deploy, e.stage, e.region, e.kind, e.score = "v2", plumbline.StageProduction, "us", "cash", .5
		r.add(e)
		r.store(t, db)
		same(late.what, late.unseen)
	}
	longer := q
	longer.From = q.From.Add(-time.Hour)
	if again(t, db, longer, until, kept, 2) == kept {
		t.Error("what is kept of one window is used for another")
	}
	if again(t, db, longer, end.Add(time.Hour), nil, 1) == nil {
		t.Error("a window of closed hours leaves none")
	}
}

// Hours that are taken away and stored anew with as many other values are other
// hours.
func TestClosedHoursStoredAnew(t *testing.T) {
	db := startDB(t)
	store := func(value float64) {
		testenv.Insert(t, db, "series_hour", []map[string]any{{
			"model": "pay", "deploy_hash": "v1", "stage": plumbline.StageProduction, "series": "feature:amount", "grid": grid.Full, "time": end.Unix(),
			"count": 5, "rows": 5, "sum_nano": int64(5 * value * 1e9), "hist": []any{[]int32{grid.Bucket(value)}, []int{5}},
		}})
	}
	q, until := drift.Query{Model: "pay", Stage: plumbline.StageProduction, From: end, To: end.Add(time.Hour)}, end.Add(day)
	store(3)
	kept := again(t, db, q, until, nil, 1)
	if again(t, db, q, until, kept, 0) != kept {
		t.Error("nothing happened, and it is read anew")
	}
	if err := db.Conn().Exec(t.Context(), "ALTER TABLE series_hour DELETE WHERE model = 'pay' SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	store(-4)
	again(t, db, q, until, kept, 1)
}

// Counts come in the least bytes that all of a histogram fit in.
func TestCountsOfEverySize(t *testing.T) {
	db := startDB(t)
	want := drift.Histogram{}
	for i, counts := range [][]uint64{{1, 65535}, {65536, 5}, {1<<32 - 1, 2}, {1 << 32, 7}, {3, 1 << 52}} {
		buckets := []int32{int32(i), int32(1000 + i)}
		testenv.Insert(t, db, "series_hour", []map[string]any{{
			"model": "pay", "deploy_hash": "v1", "stage": plumbline.StageProduction, "series": "feature:amount", "grid": grid.Full, "time": end.Add(time.Duration(i) * time.Hour).Unix(),
			"count": counts[0] + counts[1], "hist": []any{buckets, counts},
		}})
		want = want.Merge(drift.Histogram{Buckets: buckets, Counts: counts})
	}
	w, err := drift.Reader{Conn: db.Conn()}.Read(t.Context(), drift.Query{Model: "pay", Stage: plumbline.StageProduction})
	if err != nil {
		t.Fatal(err)
	}
	if got := w.Features["amount"].Numbers; !slices.Equal(got.Buckets, want.Buckets) || !slices.Equal(got.Counts, want.Counts) {
		t.Errorf("%v, want %v", got, want)
	}
}

// An answer is the same with and without what is kept, also after a late event;
// forgetting a model forgets its closed hours.
func TestAnswersDoNotDependOnWhatIsKept(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, "pay", twoDays(rand.New(rand.NewPCG(5, 6))))
	conn := histograms{Querier: db.Conn(), read: new(atomic.Int32)}
	asker := newAsker(t, conn)
	asker.now = func() time.Time { return end.Add(-30 * time.Minute) }
	q := Question{Model: "pay", From: end.Add(-12 * time.Hour), To: end, References: references(t, end.Add(-2*day).Format(time.RFC3339)+".."+end.Add(-12*time.Hour).Format(time.RFC3339))}
	check := func(what string, reads int32) {
		t.Helper()
		before := conn.read.Load()
		got, err := asker.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if n := conn.read.Load() - before; n != reads {
			t.Errorf("%s: histograms were read %d times, want %d", what, n, reads)
		}
		fresh := newAsker(t, db.Conn())
		fresh.now = asker.now
		want, err := fresh.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		// %v spells numbers so that no two are alike, and NaN is NaN.
		if a, b := fmt.Sprintf("%v", got.Rows), fmt.Sprintf("%v", want.Rows); a != b || len(got.Rows) == 0 {
			t.Errorf("%s: %d rows %s, want %s", what, len(got.Rows), a, b)
		}
	}
	check("first", 3)
	check("again", 1)
	late := newRollups("pay")
	late.add(event{deploy: "v1", stage: plumbline.StageProduction, region: "eu", kind: "card", at: end.Add(-11 * time.Hour), amount: 1e6, score: .5})
	late.store(t, db)
	check("a late event", 2)
	check("again", 1)
	asker.Forget("pay")
	if len(asker.kept.kept) != 0 {
		t.Errorf("%d windows of a forgotten model are kept", len(asker.kept.kept))
	}
	check("forgotten", 3)
}
