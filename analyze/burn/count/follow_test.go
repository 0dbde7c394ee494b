package count

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// delivered is a batch of events whose rows and whose row in batches may be seen at
// different times.
type delivered struct {
	first, n     int
	end, stored  time.Time
	step         time.Duration
	saysItsRange bool
}

func (d delivered) rows(tb testing.TB, db *storage.DB) {
	tb.Helper()
	exec(tb, db, `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, latency_ms, status, weight, half, known, _topic, _epoch, _partition, _offset)
SELECT 'm', 'd0', 'production', toString(number), fromUnixTimestamp64Milli(%d - (number - %d) * %d, 'UTC'), toFloat64(intHash32(number) %% 400),
    if(intHash32(number * 17) %% 5 = 0, 'timeout', 'ok'), if(number %% 4 = 0, 2.5, 1), '', fromUnixTimestamp64Milli(%d, 'UTC'), 't', 'e', 0, number FROM numbers(%d, %d)`,
		d.end.UnixMilli(), d.first, d.step.Milliseconds(), d.stored.UnixMilli(), d.first, d.n)
}

func (d delivered) complete(tb testing.TB, db *storage.DB) {
	tb.Helper()
	var from, last time.Time
	if d.saysItsRange {
		from, last = d.end.Add(-time.Duration(d.n-1)*d.step), d.end
	} else {
		from, last = time.Unix(0, 0), time.Unix(0, 0)
	}
	exec(tb, db, `INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, known_min, known_max, stored, ts_min, ts_max) VALUES
('t', 'e', 0, %d, %d, 'predictions', %d, %d, '%s', '%s', '%s', '%s', '%s')`, d.first, d.first+d.n-1, d.n, d.n, stamp(d.stored), stamp(d.stored), stamp(d.stored), stamp(from), stamp(last))
}

// minutesThatDiffer compares the counts of a success SLI with raw rows.
func minutesThatDiffer(tb testing.TB, db *storage.DB, slo plumbline.SLO, good string) (differ, minutes uint64) {
	tb.Helper()
	row := db.Conn().QueryRow(tb.Context(), fmt.Sprintf(`SELECT countIf(n != 2 OR length(c) != 1), count() FROM (SELECT time, sum(k) AS n, groupUniqArray(counts) AS c FROM (
    SELECT toDateTime(toStartOfMinute(ts), 'UTC') AS time, toUInt8(1) AS k, (toUInt64(sumIf(r, %s)), toUInt64(sum(r)), count()) AS counts FROM (SELECT *, %s AS r FROM predictions) GROUP BY time
    UNION ALL SELECT time, toUInt8(1), (s.good, s.total, s.rows) FROM sli AS s FINAL WHERE sli = '%s') GROUP BY time)`, good, plumbline.RequestsSQL, slo.SLIID()))
	if err := row.Scan(&differ, &minutes); err != nil {
		tb.Fatal(err)
	}
	return differ, minutes
}

// Batches come into sight out of order and before their rows do, by less than the
// overlap; events are late; the process is another one now and then. In the end every
// minute is counted exactly.
func TestFollowedMinutesAreExact(t *testing.T) {
	const seed = 7
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	db := startDB(t)
	objectives := eventObjectives()[:2]
	counter := New(DefaultConfig(), db, nil, nil)
	type event struct {
		at time.Time
		do func(testing.TB, *storage.DB)
	}
	var due []event
	for i := range 90 {
		d := delivered{
			first: i * 100, n: 1 + random.IntN(60), step: time.Duration(1+random.IntN(3000)) * time.Millisecond,
			stored: origin.Add(time.Duration(i) * 4 * time.Second), saysItsRange: random.IntN(4) > 0,
		}
		d.end = d.stored
		if random.IntN(5) == 0 {
			d.end = d.end.Add(-time.Duration(random.IntN(7200)) * time.Second)
		}
		behind := func() time.Duration {
			return time.Duration(random.IntN(50)) * time.Second * time.Duration(random.IntN(2))
		}
		due = append(due, event{d.stored.Add(behind()), d.rows}, event{d.stored.Add(behind()), d.complete})
	}
	slices.SortStableFunc(due, func(a, b event) int { return a.at.Compare(b.at) })
	for now := origin; now.Before(origin.Add(9 * time.Minute)); now = now.Add(5 * time.Second) {
		for len(due) > 0 && !due[0].at.After(now) {
			due[0].do(t, db)
			due = due[1:]
		}
		if random.IntN(20) == 0 {
			counter = New(DefaultConfig(), db, nil, nil)
		}
		count(t, counter, objectives, now)
	}
	for i, good := range []string{"latency_ms <= 380", "status = 'ok'"} {
		if differ, minutes := minutesThatDiffer(t, db, objectives[i].SLO, good); differ != 0 || minutes < 20 {
			t.Errorf("%s: %d of %d minutes differ from raw rows", objectives[i].SLO.Name, differ, minutes)
		}
	}
	// Nothing is left to be done for what is older than the overlap.
	written := counter.Written()
	if err := counter.Step(t.Context(), objectives, origin.Add(time.Hour)); err != nil || counter.Written() != written || len(counter.followed.minutes)+len(counter.followed.silent) != 0 || len(counter.followed.seen) > 15 {
		t.Errorf("%v, %d rows written, %d minutes settle, %d batches seen", err, counter.Written()-written, len(counter.followed.minutes), len(counter.followed.seen))
	}
}

// A batch of a clock that is fast does not hide those of others, also not from the
// next process.
func TestAFastClockHidesNothing(t *testing.T) {
	db := startDB(t)
	objectives := eventObjectives()[:2]
	counter := New(DefaultConfig(), db, nil, nil)
	for i := range 20 {
		now := origin.Add(time.Duration(i) * 30 * time.Second)
		batch := delivered{first: i * 100, n: 20, step: time.Second, end: now, stored: now, saysItsRange: i%2 == 0}
		if i%7 == 2 {
			batch.stored = now.Add(5 * time.Minute)
		}
		batch.rows(t, db)
		batch.complete(t, db)
		if i%5 == 4 {
			counter = New(DefaultConfig(), db, nil, nil)
		}
		count(t, counter, objectives, now.Add(time.Second))
		for j, good := range []string{"latency_ms <= 380", "status = 'ok'"} {
			if differ, minutes := minutesThatDiffer(t, db, objectives[j].SLO, good); differ != 0 || minutes == 0 {
				t.Errorf("batch %d: %s: %d of %d minutes differ from raw rows", i, objectives[j].SLO.Name, differ, minutes)
			}
		}
	}
	if err := counter.Step(t.Context(), objectives, origin.Add(time.Hour)); err != nil || len(counter.followed.seen) != 1 {
		t.Errorf("%v, %d batches are still seen, want the newest", err, len(counter.followed.seen))
	}
}

// A minute is counted once more soon after its last batch came into sight, and again
// as long after it as clocks may differ.
func TestMinutesSettle(t *testing.T) {
	var f followed
	f.follow(map[plumbline.SLIID]plumbline.SLO{"a": {}})
	at := func(seconds int) time.Time { return origin.Add(time.Duration(seconds) * time.Second) }
	f.counted([]batch{{id: 1, rows: 1, stored: 1}, {id: 2, stored: 1}}, []int64{60}, at(0), time.Minute)
	for _, step := range []struct {
		at  int
		due int
	}{{1, 0}, {9, 0}, {10, 1}, {11, 0}, {59, 0}, {61, 1}, {62, 0}, {600, 0}} {
		due, silent := f.due(at(step.at), time.Minute)
		if len(due) != step.due || len(silent) != step.due {
			t.Errorf("after %d s minutes %v and %d batches are due, want %d of each", step.at, due, len(silent), step.due)
		}
		f.counted(nil, nil, at(step.at), time.Minute)
	}
	// Another indicator has seen nothing yet.
	f.follow(map[plumbline.SLIID]plumbline.SLO{"a": {}})
	if len(f.seen) != 2 {
		t.Errorf("%d batches seen, want 2", len(f.seen))
	}
	if f.follow(map[plumbline.SLIID]plumbline.SLO{"a": {}, "b": {}}); len(f.seen) != 0 {
		t.Errorf("%d batches seen for an indicator that is new", len(f.seen))
	}
}

// What is there of an indicator that is new is counted a stretch at a time, beside the
// others, and nothing says that it is counted before all of it is: not to another
// process either.
func TestBacklogsAreFilledBesideTheOthers(t *testing.T) {
	db := startDB(t)
	store := func(first, n int, step time.Duration, end time.Time, stored time.Time) {
		d := delivered{first: first, n: n, step: step, end: end, stored: stored, saysItsRange: true}
		d.rows(t, db)
		d.complete(t, db)
	}
	store(0, 4000, 2*time.Minute, origin, origin.Add(-2*time.Minute))
	objectives, counter := eventObjectives()[:2], New(DefaultConfig(), db, nil, nil)
	slos := map[plumbline.SLIID]plumbline.SLO{objectives[1].SLO.SLIID(): objectives[1].SLO}
	count(t, counter, objectives[:1], origin)
	said := func() (n uint64) {
		if err := db.Conn().QueryRow(t.Context(), "SELECT countIf(version > 0) FROM sli WHERE sli = {sli:String}", clickhouse.Named("sli", string(objectives[1].SLO.SLIID()))).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	begin := func() {
		if err := counter.begin(t.Context(), slos, 0, origin); err != nil {
			t.Fatal(err)
		}
		if err := counter.fillBacklog(t.Context(), slos, origin); err != nil || len(counter.backlogs) != 1 {
			t.Fatalf("%v, %d backlogs", err, len(counter.backlogs))
		}
	}
	begin()
	// Killed in between, and a look whose patience is over.
	counter = New(DefaultConfig(), db, nil, nil)
	if err := counter.restore(t.Context(), slos); err != nil || counter.cursor[objectives[1].SLO.SLIID()] != 0 {
		t.Fatalf("%v, another process believes that it is counted", err)
	}
	begin()
	store(10_000, 60, time.Second, origin.Add(-30*time.Hour), origin.Add(10*time.Second))
	store(20_000, 60, time.Second, origin.Add(time.Minute), origin.Add(time.Minute))
	both := map[plumbline.SLIID]plumbline.SLO{objectives[0].SLO.SLIID(): objectives[0].SLO, objectives[1].SLO.SLIID(): objectives[1].SLO}
	if err := counter.restore(t.Context(), both); err != nil {
		t.Fatal(err)
	}
	if err := counter.follow(t.Context(), both, origin.UnixMilli(), origin.Add(time.Minute)); err != nil || said() != 0 {
		t.Fatalf("%v, %d minutes say that it is counted", err, said())
	}
	if differ, _ := minutesThatDiffer(t, db, objectives[0].SLO, "latency_ms <= 380"); differ != 0 {
		t.Errorf("%d minutes of the other differ meanwhile", differ)
	}
	if count(t, counter, objectives, origin.Add(2*time.Minute)); said() == 0 {
		t.Fatalf("%d minutes say that it is counted", said())
	}
	for i, good := range []string{"latency_ms <= 380", "status = 'ok'"} {
		if differ, minutes := minutesThatDiffer(t, db, objectives[i].SLO, good); differ != 0 || minutes < 4000 {
			t.Errorf("%s: %d of %d minutes differ from raw rows", objectives[i].SLO.Name, differ, minutes)
		}
	}
}

// A batch that does not say its minutes is counted at once and twice more, and one
// without rows is not counted at all.
func TestSilentBatchesAreCountedThreeTimes(t *testing.T) {
	db := startDB(t)
	objectives, counter := eventObjectives()[1:2], New(DefaultConfig(), db, nil, nil)
	counted := 0
	counter.wrote = func(rows []row) { counted += len(rows) }
	step := func(seconds int) int {
		counted = 0
		count(t, counter, objectives, origin.Add(time.Duration(seconds)*time.Second))
		return counted
	}
	first := delivered{n: 10, step: time.Second, end: origin.Add(-2 * time.Hour), stored: origin.Add(-time.Hour), saysItsRange: true}
	first.rows(t, db)
	first.complete(t, db)
	step(0)
	step(1)
	step(62)
	batch := delivered{first: 100, n: 10, step: time.Second, end: origin.Add(-time.Minute), stored: origin.Add(100 * time.Second)}
	batch.rows(t, db)
	batch.complete(t, db)
	var at []int
	for seconds := 100; seconds < 400; seconds += 5 {
		if step(seconds) > 0 {
			at = append(at, seconds-100)
		}
	}
	if !slices.Equal(at, []int{0, 10, 60}) {
		t.Errorf("counted after %v s, want 0, 10 and 60", at)
	}
	delivered{first: 200, step: time.Second, end: origin, stored: origin.Add(400 * time.Second)}.complete(t, db)
	if n := step(400); n != 0 || len(counter.followed.silent) != 0 {
		t.Errorf("%d counts of a batch without rows", n)
	}
}

// An indicator that nothing comes in for does not make another process list all
// batches since, nor count the others anew.
func TestARetiredModelIsCountedAlone(t *testing.T) {
	db := startDB(t)
	retired := objective("retired", plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) { s.Model = "r" })
	objectives := append(eventObjectives()[:2], retired)
	exec(t, db, "INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, status, weight, known) SELECT 'r', 'd', 'production', toString(number), '%s', 'ok', 1, '%s' FROM numbers(3)", stamp(origin), stamp(origin))
	now, counter := origin, New(DefaultConfig(), db, nil, nil)
	for i := range 30 {
		now = now.Add(10 * time.Minute)
		d := delivered{first: i * 100, n: 20, step: time.Second, end: now, stored: now, saysItsRange: true}
		d.rows(t, db)
		d.complete(t, db)
		count(t, counter, objectives, now)
	}
	var before, after uint64
	sum := func(n *uint64) {
		if err := db.Conn().QueryRow(t.Context(), "SELECT sum(cityHash64(sli, deploy_hash, time, good, total, rows)) FROM sli FINAL").Scan(n); err != nil {
			t.Fatal(err)
		}
	}
	sum(&before)
	counter = New(DefaultConfig(), db, nil, nil)
	slos := make(map[plumbline.SLIID]plumbline.SLO)
	for _, o := range objectives {
		slos[o.SLO.SLIID()] = o.SLO
	}
	if err := counter.restore(t.Context(), slos); err != nil {
		t.Fatal(err)
	}
	known, fresh, since := counter.apart(slos, now)
	if _, ok := fresh[retired.SLO.SLIID()]; !ok || len(fresh) != 1 || len(known) != 2 || since < now.Add(-10*time.Minute).UnixMilli() {
		t.Errorf("%d begin and %d are followed since %s, want the one of the retired model to begin", len(fresh), len(known), time.UnixMilli(since))
	}
	for i := range 3 {
		count(t, counter, objectives, now.Add(time.Duration(i)*time.Hour))
		if _, fresh, _ := counter.apart(slos, now); len(fresh) != 0 {
			t.Errorf("%d indicators begin at every look", len(fresh))
		}
	}
	if sum(&after); after != before || counter.Written() > 30 {
		t.Errorf("%d counts of a minute were written, or others than before", counter.Written())
	}
	// Nor does what all of them missed, for long.
	counter = New(DefaultConfig(), db, nil, nil)
	if err := counter.restore(t.Context(), slos); err != nil {
		t.Fatal(err)
	}
	if _, fresh, _ := counter.apart(slos, now.Add(7*time.Hour)); len(fresh) != 3 {
		t.Errorf("after seven hours %d begin, want all", len(fresh))
	}
}

// What does not fit into one insert does not say that it is counted before all of it is.
func TestManyCountsAreStoredInParts(t *testing.T) {
	db := startDB(t)
	delivered{n: 4000, step: time.Second, end: origin, stored: origin}.rows(t, db)
	delivered{n: 4000, step: time.Second, end: origin, stored: origin}.complete(t, db)
	counter, objectives := New(DefaultConfig(), db, nil, nil), eventObjectives()[:2]
	count(t, counter, objectives, origin)
	exec(t, db, "TRUNCATE TABLE sli")
	before := origin.Add(-time.Minute).UnixMilli()
	counter.most, counter.followed, counter.cursor = 50, followed{}, map[plumbline.SLIID]int64{objectives[0].SLO.SLIID(): before, objectives[1].SLO.SLIID(): before}
	if err := counter.Step(t.Context(), objectives, origin); err != nil {
		t.Fatal(err)
	}
	var inserted, done uint64
	if err := db.Conn().QueryRow(t.Context(), "SELECT countIf(version = {before:Int64}), countIf(version > {before:Int64}) FROM sli FINAL", clickhouse.Named("before", before)).Scan(&inserted, &done); err != nil {
		t.Fatal(err)
	}
	if inserted != 100 || done == 0 || done > 50 {
		t.Errorf("%d counts say that nothing was counted before, %d that everything was", inserted, done)
	}
	for i, good := range []string{"latency_ms <= 380", "status = 'ok'"} {
		if differ, minutes := minutesThatDiffer(t, db, objectives[i].SLO, good); differ != 0 || minutes < 60 {
			t.Errorf("%s: %d of %d minutes differ from raw rows", objectives[i].SLO.Name, differ, minutes)
		}
	}
}
