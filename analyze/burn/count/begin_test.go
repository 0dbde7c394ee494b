package count

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// slosOf are the indicators of objectives.
func slosOf(objectives []plumbline.Objective) map[plumbline.SLIID]plumbline.SLO {
	slos := make(map[plumbline.SLIID]plumbline.SLO)
	for _, o := range objectives {
		slos[o.SLO.SLIID()] = o.SLO
	}
	return slos
}

// stored writes a batch that says its minutes, and its rows.
func stored(tb testing.TB, db *storage.DB, first, n int, step time.Duration, end, stored time.Time) {
	tb.Helper()
	d := delivered{first: first, n: n, step: step, end: end, stored: stored, saysItsRange: true}
	d.rows(tb, db)
	d.complete(tb, db)
}

// versions returns how many counts of an indicator say less and more than a version.
func versions(tb testing.TB, db *storage.DB, sli plumbline.SLIID, version int64) (before, after uint64) {
	tb.Helper()
	row := db.Conn().QueryRow(tb.Context(), "SELECT countIf(version <= {version:Int64}), countIf(version > {version:Int64}) FROM sli FINAL WHERE sli = {sli:String}",
		clickhouse.Named("sli", string(sli)), clickhouse.Named("version", version))
	if err := row.Scan(&before, &after); err != nil {
		tb.Fatal(err)
	}
	return before, after
}

// A process that cannot count what came in while it was away has not looked: once that
// is too long ago, it begins anew.
func TestALookThatFailsIsNone(t *testing.T) {
	db := startDB(t)
	stored(t, db, 0, 100, time.Second, origin, origin)
	objectives := eventObjectives()[:2]
	count(t, New(DefaultConfig(), db, nil, nil), objectives, origin)
	counter, slos := New(DefaultConfig(), db, nil, nil), slosOf(objectives)
	if err := counter.restore(t.Context(), slos); err != nil {
		t.Fatal(err)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := counter.events(over, slos, origin.Add(5*time.Hour)); err == nil {
		t.Fatal("a look without time counted everything")
	}
	if _, fresh, _ := counter.apart(slos, origin.Add(7*time.Hour)); len(fresh) != 2 {
		t.Errorf("%d of 2 indicators begin anew after seven hours", len(fresh))
	}
	if err := counter.events(t.Context(), slos, origin.Add(5*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if _, fresh, _ := counter.apart(slos, origin.Add(7*time.Hour)); len(fresh) != 0 {
		t.Errorf("%d indicators begin anew, though everything was counted", len(fresh))
	}
}

// What came in while a process was away for hours is not counted in one piece: the
// newest minutes at once, the others as a backlog. Meanwhile nothing says that they are,
// to another process neither.
func TestMinutesOfHoursAreCountedTheNewestFirst(t *testing.T) {
	db := startDB(t)
	stored(t, db, 0, 100, time.Second, origin, origin)
	objectives := eventObjectives()[:2]
	count(t, New(DefaultConfig(), db, nil, nil), objectives, origin)
	var slo = objectives[1].SLO
	now := origin
	for i := range 75 {
		now = now.Add(4 * time.Minute)
		stored(t, db, 1000+100*i, 20, 12*time.Second, now, now)
	}
	var counter *Counter
	for range 2 { // the first is killed
		counter = New(DefaultConfig(), db, nil, nil)
		if err := counter.Step(t.Context(), objectives, now); err != nil {
			t.Fatal(err)
		}
		differ, minutes := minutesThatDiffer(t, db, slo, "status = 'ok'")
		if minutes < 300 || differ < 150 || differ > 200 {
			t.Fatalf("%d of %d minutes are not counted, want all but the newest %d", differ, minutes, mostMinutes)
		}
		if _, after := versions(t, db, slo.SLIID(), origin.UnixMilli()); after != 0 {
			t.Errorf("%d counts say that everything is", after)
		}
		if since := counter.since(slo.SLIID(), now); since.After(now.Add(-mostMinutes*time.Minute).Add(2*time.Minute)) || since.Before(now.Add(-(mostMinutes+5)*time.Minute)) {
			t.Errorf("windows are whole since %s", since)
		}
		if left := counter.Left(now); left < 150*time.Minute || left > 200*time.Minute {
			t.Errorf("%s are left", left)
		}
	}
	count(t, counter, objectives, now)
	if _, after := versions(t, db, slo.SLIID(), origin.UnixMilli()); after == 0 || counter.Left(now) != 0 {
		t.Errorf("no count says that everything is; %s are left", counter.Left(now))
	}
	for i, good := range []string{"latency_ms <= 380", "status = 'ok'"} {
		if differ, minutes := minutesThatDiffer(t, db, objectives[i].SLO, good); differ != 0 || minutes < 300 {
			t.Errorf("%s: %d of %d minutes differ from raw rows", objectives[i].SLO.Name, differ, minutes)
		}
	}
	// Events that are late in many minutes are counted once more, of windows that are
	// whole as they are.
	stored(t, db, 90_000, 200, time.Minute, now, now.Add(time.Minute))
	if err := counter.Step(t.Context(), objectives, now.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if len(counter.backlogs) != 2 || !counter.since(slo.SLIID(), now).IsZero() {
		t.Errorf("%d backlogs, and windows are whole since %s", len(counter.backlogs), counter.since(slo.SLIID(), now))
	}
	count(t, counter, objectives, now.Add(time.Minute))
	if differ, _ := minutesThatDiffer(t, db, slo, "status = 'ok'"); differ != 0 {
		t.Errorf("%d minutes differ from raw rows", differ)
	}
}

// A backlog of which nothing can be counted is tried in ever smaller pieces, and then
// somebody hears of it.
func TestABacklogThatStandsStillIsSaid(t *testing.T) {
	db := startDB(t)
	stored(t, db, 0, 4000, 2*time.Minute, origin, origin)
	objectives, counter := eventObjectives()[:1], New(DefaultConfig(), db, nil, nil)
	if err := counter.Step(t.Context(), objectives, origin); err != nil {
		t.Fatal(err)
	}
	left := counter.Left(origin)
	tries := 0
	for ; tries < 100; tries++ {
		if err := counter.CatchUp(t.Context(), objectives, origin, 0); err != nil {
			break
		}
	}
	if tries != 10 || counter.stretch != time.Minute || counter.Left(origin) != left || left != DefaultConfig().Back {
		t.Errorf("after %d tries a stretch is %s and %s are left, before %s", tries, counter.stretch, counter.Left(origin), left)
	}
	// What the clock cuts off later was not too much, and nor is it an error.
	over, cancel := context.WithCancel(t.Context())
	cancel()
	counter.stretch = time.Hour
	if err := counter.cutOff(t.Context(), over, false, over.Err()); err != nil || counter.stretch != time.Hour {
		t.Errorf("%v, a stretch is %s", err, counter.stretch)
	}
	if err := counter.cutOff(t.Context(), t.Context(), false, errors.New("memory")); err == nil || counter.stretch != 30*time.Minute {
		t.Errorf("%v, a stretch is %s", err, counter.stretch)
	}
	count(t, counter, objectives, origin)
	if differ, minutes := minutesThatDiffer(t, db, objectives[0].SLO, "latency_ms <= 380"); differ != 0 || minutes < 4000 || counter.stretch != longestStep {
		t.Errorf("%d of %d minutes differ from raw rows; a stretch is %s", differ, minutes, counter.stretch)
	}
}

// Of batches that do not say their minutes and came in hours apart, what came in between
// is not counted again.
func TestSilentBatchesAreAskedApart(t *testing.T) {
	db := startDB(t)
	stored(t, db, 0, 300, time.Minute, origin, origin)
	exec(t, db, "ALTER TABLE predictions UPDATE known = ts WHERE 1 SETTINGS mutations_sync = 1")
	counter, slos := New(DefaultConfig(), db, nil, nil), slosOf(eventObjectives()[:1])
	silent := func(at time.Time) batch {
		return batch{rows: 1, knownFrom: at.UnixMilli(), knownTo: at.UnixMilli()}
	}
	asked, err := counter.ask(t.Context(), slos, []batch{silent(origin), silent(origin.Add(-4 * time.Hour)), silent(origin.Add(-time.Minute))}, counter.oldest(origin))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(asked)
	want := []int64{origin.Add(-4 * time.Hour).Unix(), origin.Add(-time.Minute).Unix(), origin.Unix()}
	if !slices.Equal(asked, want) {
		t.Errorf("minutes %v, want %v", asked, want)
	}
}

func TestSpansAreJoined(t *testing.T) {
	got := joined([]span{{50, 60}, {10, 20}, {20, 30}, {12, 15}, {55, 70}})
	if want := []span{{10, 30}, {50, 70}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
