package count

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

var origin = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func startDB(tb testing.TB) *storage.DB {
	tb.Helper()
	return testenv.Start(tb, testenv.Setup{Storage: testenv.KeepAll}).DB
}

func exec(tb testing.TB, db *storage.DB, statement string, args ...any) {
	tb.Helper()
	if err := db.Conn().Exec(tb.Context(), fmt.Sprintf(statement, args...)); err != nil {
		tb.Fatal(err)
	}
}

// storeEvents writes n predictions of model m every step before end, and the row
// that says that their batch is complete, as ingest would have.
func storeEvents(tb testing.TB, db *storage.DB, first, n int, step time.Duration, end time.Time, known time.Time) {
	tb.Helper()
	exec(tb, db, `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, numbers, segments, latency_ms, status, weight, half, known, _topic, _epoch, _partition, _offset)
SELECT 'm', concat('d', toString(intHash32(number) %% 2)), if(intHash32(number * 3) %% 10 = 0, 'shadow', 'production'), toString(number),
    fromUnixTimestamp64Milli(%d - (number - %d) * %d, 'UTC'), map('cost', toFloat64(intHash32(number * 5) %% 100) / 100),
    map('country', if(intHash32(number * 7) %% 3 = 0, 'DE', 'FR')), if(intHash32(number * 11) %% 20 = 0, NULL, toFloat64(intHash32(number * 13) %% 400)),
    if(intHash32(number * 17) %% 50 = 0, 'timeout', 'ok'), if(intHash32(number * 19) %% 4 = 0, 2.5, 1), '',
    fromUnixTimestamp64Milli(%d, 'UTC'), 't', 'e', 0, number
FROM numbers(%d, %d)`, end.UnixMilli(), first, step.Milliseconds(), known.UnixMilli(), first, n)
	exec(tb, db, `INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, known_min, known_max, stored) VALUES
('t', 'e', 0, %d, %d, 'predictions', %d, %d, '%s', '%s', '%s')`, first, first+n-1, n, n, stamp(known), stamp(known), stamp(known))
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// count counts what is new, and then all backlogs.
func count(tb testing.TB, counter *Counter, objectives []plumbline.Objective, now time.Time) {
	tb.Helper()
	if err := counter.Step(tb.Context(), objectives, now); err != nil {
		tb.Fatal(err)
	}
	for len(counter.backlogs) > 0 {
		if err := counter.CatchUp(tb.Context(), objectives, now, time.Minute); err != nil {
			tb.Fatal(err)
		}
	}
}

func pairs() []plumbline.WindowPair {
	return []plumbline.WindowPair{
		{Severity: "page", Long: time.Hour, Short: 5 * time.Minute, Factor: 2, Noise: 1e-7, Evidence: []time.Duration{30 * time.Minute, time.Hour, 6 * time.Hour}},
		{Severity: "ticket", Long: 6 * time.Hour, Short: 30 * time.Minute, Factor: 1, Noise: 1e-6, Evidence: []time.Duration{6 * time.Hour}},
	}
}

func objective(name string, sli plumbline.SLI, change func(*plumbline.SLO)) plumbline.Objective {
	o := plumbline.Objective{SLO: plumbline.SLO{Name: plumbline.SLOName(name), Model: "m", Target: 0.97, SLI: sli}, Pairs: pairs()}
	if change != nil {
		change(&o.SLO)
	}
	return o
}

func eventObjectives() []plumbline.Objective {
	return []plumbline.Objective{
		objective("latency", plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: 380}, nil),
		objective("success", plumbline.SLI{Kind: plumbline.SLISuccess}, nil),
		objective("cost", plumbline.SLI{Kind: plumbline.SLICost, Feature: "cost", Op: "lt", Value: 0.9}, func(s *plumbline.SLO) { s.Segment = "country=DE" }),
		objective("one deploy", plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) { s.Deploy = "d1" }),
	}
}

// brute counts the raw rows of one window.
func brute(tb testing.TB, db *storage.DB, name plumbline.SLOName, deploy plumbline.DeployHash, from, end time.Time) burn.Count {
	tb.Helper()
	good, where := "status = 'ok'", "1"
	switch name {
	case "latency":
		good, where = "latency_ms <= 380", "isNotNull(latency_ms)"
	case "cost":
		good, where = "numbers['cost'] < 0.9", "segments['country'] = 'DE'"
	}
	row := db.Conn().QueryRow(tb.Context(), fmt.Sprintf(`SELECT toFloat64(sumIf(r, NOT (%s))), toFloat64(sum(r)), toFloat64(count()) FROM (SELECT *, %s AS r FROM predictions)
WHERE model = 'm' AND stage = 'production' AND deploy_hash = '%s' AND %s AND ts >= '%s' AND ts < '%s'`, good, plumbline.RequestsSQL, deploy, where, stamp(from), stamp(end)))
	var c burn.Count
	if err := row.Scan(&c.Bad, &c.Total, &c.Rows); err != nil {
		tb.Fatal(err)
	}
	return c
}

func equalsBrute(t *testing.T, db *storage.DB, end time.Time) int {
	t.Helper()
	all, err := Reader{Conn: db.Conn()}.At(t.Context(), eventObjectives(), end)
	if err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, e := range all {
		for _, c := range e.Counted {
			if want := brute(t, db, e.Objective.SLO.Name, e.Deploy, end.Add(-c.Pair.Long), end); c.Long != want {
				t.Fatalf("%s %s: %+v, brute force %+v", e.Objective.SLO.Name, e.Deploy, c.Long, want)
			}
			if want := brute(t, db, e.Objective.SLO.Name, e.Deploy, end.Add(-c.Pair.Short), end); want.Total > 0 && c.Short != want {
				t.Fatalf("%s %s: short %+v, brute force %+v", e.Objective.SLO.Name, e.Deploy, c.Short, want)
			}
			compared++
		}
	}
	return compared
}

// equalsVerify asks the second opinion of rollup verify, on every minute.
func equalsVerify(t *testing.T, db *storage.DB) {
	t.Helper()
	var slos []plumbline.SLO
	for _, o := range eventObjectives() {
		slos = append(slos, o.SLO)
	}
	report, err := verify.Run(t.Context(), db.Conn(), verify.Options{From: origin.Add(-24 * time.Hour), To: origin.Add(time.Hour), SLOs: slos})
	if err != nil {
		t.Fatal(err)
	}
	last := report.Tables[len(report.Tables)-1]
	if last.Table != plumbline.TableSLI || last.Keys < 1000 || last.Differing != 0 || report.Indicators.Compared != 3 || report.Indicators.Open+report.Indicators.Late != 0 {
		t.Errorf("%+v, %+v", last, report.Indicators)
	}
}

func TestCountsEqualBruteForce(t *testing.T) {
	db := startDB(t)
	counter := New(DefaultConfig(), db, nil, nil)
	step := func(now time.Time) {
		t.Helper()
		count(t, counter, eventObjectives(), now)
	}
	storeEvents(t, db, 0, 8000, 3*time.Second, origin, origin)
	step(origin)
	if n := equalsBrute(t, db, origin); n != 14 {
		t.Errorf("%d pairs were compared, not 14", n)
	}
	// Events that come late change minutes that were counted; the next batch too.
	storeEvents(t, db, 10_000, 500, 7*time.Second, origin.Add(-2*time.Hour), origin.Add(10*time.Second))
	storeEvents(t, db, 20_000, 60, time.Second, origin.Add(time.Minute), origin.Add(time.Minute))
	step(origin.Add(time.Minute))
	equalsBrute(t, db, origin.Add(time.Minute))
	// Another process, which knows only what is stored, and one that counts twice.
	counter = New(DefaultConfig(), db, nil, nil)
	storeEvents(t, db, 30_000, 60, time.Second, origin.Add(2*time.Minute), origin.Add(2*time.Minute))
	step(origin.Add(2 * time.Minute))
	step(origin.Add(2 * time.Minute))
	equalsBrute(t, db, origin.Add(2*time.Minute))
	equalsVerify(t, db)
	// Thresholds are part of what is counted: another one begins anew.
	if a, b := eventObjectives()[0].SLO, eventObjectives()[0].SLO; func() bool { b.SLI.Value = 381; return a.SLIID() == b.SLIID() }() {
		t.Error("two thresholds share their counts")
	}
}

// Windows of slices end with the last whole slice, so that an hour holds an hour of
// them whenever it is looked at, also if a slice is an hour itself.
func TestSlicesEqualBruteForce(t *testing.T) {
	db := startDB(t)
	newest := origin.Add(37 * time.Minute)
	storeEvents(t, db, 0, 4500, 3*time.Second, newest, newest)
	latency := plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: 380}
	var all []plumbline.Objective
	for _, length := range []time.Duration{5 * time.Minute, time.Hour} {
		for _, method := range []plumbline.Budgeting{plumbline.Timeslices, plumbline.RatioTimeslices} {
			all = append(all, objective(fmt.Sprint(method, length), latency, func(s *plumbline.SLO) {
				s.Budgeting, s.SliceWindow, s.SliceTarget = method, length, 0.95
			}))
		}
	}
	count(t, New(DefaultConfig(), db, nil, nil), all, newest)
	known := make(map[string]burn.Count)
	byHand := func(deploy plumbline.DeployHash, from, end time.Time) burn.Count {
		key := fmt.Sprint(deploy, from, end)
		if _, ok := known[key]; !ok {
			known[key] = brute(t, db, "latency", deploy, from, end)
		}
		return known[key]
	}
	for _, end := range []time.Time{origin, origin.Add(3 * time.Minute), newest} {
		found, err := Reader{Conn: db.Conn()}.At(t.Context(), all, end)
		if err != nil || len(found) != 8 {
			t.Fatalf("%d evaluations, %v", len(found), err)
		}
		for _, e := range found {
			slo := e.Objective.SLO
			last := end.Truncate(slo.SliceWindow)
			for _, c := range e.Counted {
				bad, n, newestBad := slicesByHand(byHand, slo, e.Deploy, last.Add(-c.Pair.Long), last)
				if c.Long.Total != n || math.Abs(c.Long.Bad-bad) > 1e-9 || c.Verdict == plumbline.VerdictMissing || !c.End.Equal(last) {
					t.Errorf("%s of %s at %s: %s %+v, by hand %v of %v", slo.Name, e.Deploy, end.Sub(origin), c.Verdict, c.Long, bad, n)
				}
				if c.Pair.Long == time.Hour && n != float64(time.Hour/slo.SliceWindow) {
					t.Errorf("%s: an hour holds %v slices", slo.Name, n)
				}
				// A short window no longer than a slice is the last slice.
				if c.Pair.Short <= slo.SliceWindow && math.Abs(c.Short.Bad-newestBad) > 1e-9 {
					t.Errorf("%s of %s at %s: short %+v, by hand %v", slo.Name, e.Deploy, end.Sub(origin), c.Short, newestBad)
				}
			}
		}
	}
}

// slicesByHand judges the slices of a range, and the last of them, on raw rows.
func slicesByHand(count func(plumbline.DeployHash, time.Time, time.Time) burn.Count, slo plumbline.SLO, deploy plumbline.DeployHash, from, end time.Time) (bad, n, last float64) {
	for at := from; at.Before(end); at = at.Add(slo.SliceWindow) {
		c := count(deploy, at, at.Add(slo.SliceWindow))
		if c.Total == 0 {
			continue
		}
		last = c.Share()
		if slo.Budgeting == plumbline.Timeslices {
			last = 0
			if 1-c.Share() < slo.SliceTarget {
				last = 1
			}
		}
		bad, n = bad+last, n+1
	}
	return bad, n, last
}

func TestCompositeWeighsItsParts(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, 0, 3000, 3*time.Second, origin, origin)
	all := eventObjectives()[:2]
	all[0].Pairs, all[1].Pairs = nil, nil
	whole := objective("whole", plumbline.SLI{Kind: plumbline.SLIComposite}, func(s *plumbline.SLO) {
		s.Target, s.Parts = 0.97, []plumbline.Part{{SLO: "latency", Weight: 3}, {SLO: "success", Weight: 1}}
	})
	count(t, New(DefaultConfig(), db, nil, nil), all, origin)
	found, err := Reader{Conn: db.Conn()}.At(t.Context(), append(all, whole), origin)
	if err != nil || len(found) != 2 {
		t.Fatalf("%d evaluations, %v", len(found), err)
	}
	for _, e := range found {
		from := origin.Add(-time.Hour)
		latency, success := 3*brute(t, db, "latency", e.Deploy, from, origin).Share()/4, brute(t, db, "success", e.Deploy, from, origin).Share()/4
		if got := e.Counted[0].Long.Share(); math.Abs(got-latency-success) > 1e-12 {
			t.Errorf("%s: %v, want %v", e.Deploy, got, latency+success)
		}
		parts := e.Counted[0].Parts
		if len(parts) != 2 || parts[0].SLO != "latency" || math.Abs(parts[0].Bad-latency) > 1e-12 || parts[1].SLO != "success" || math.Abs(parts[1].Bad-success) > 1e-12 {
			t.Errorf("%s: of it %+v, want %v and %v", e.Deploy, parts, latency, success)
		}
	}
}

// A part that is counted without deploys is a part of every deploy's composite.
func TestCompositeOfAPartWithoutDeploys(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, 0, 3000, 3*time.Second, origin, origin)
	exec(t, db, "INSERT INTO series_minute (model, deploy_hash, stage, series, time, count) SELECT model, deploy_hash, stage, 'requests', toStartOfMinute(ts), 1 FROM predictions")
	all := []plumbline.Objective{eventObjectives()[0], objective("fresh", plumbline.SLI{Kind: plumbline.SLIFreshness, Within: 5 * time.Minute}, nil)}
	all[0].Pairs, all[1].Pairs = nil, nil
	whole := objective("whole", plumbline.SLI{Kind: plumbline.SLIComposite}, func(s *plumbline.SLO) {
		s.Target, s.Parts = 0.97, []plumbline.Part{{SLO: "latency", Weight: 1}, {SLO: "fresh", Weight: 1}}
	})
	counter := New(DefaultConfig(), db, nil, nil)
	for range 10 { // a day a step
		count(t, counter, all, origin)
	}
	found, err := Reader{Conn: db.Conn()}.At(t.Context(), append(all, whole), origin)
	if err != nil || len(found) != 2 {
		t.Fatalf("%d evaluations, %v", len(found), err)
	}
	for _, e := range found {
		from := origin.Add(-time.Hour)
		// Freshness has no bad minute.
		want := brute(t, db, "latency", e.Deploy, from, origin).Share() / 2
		if got := e.Counted[0].Long.Share(); e.Deploy == "" || math.Abs(got-want) > 1e-12 {
			t.Errorf("%s: %v, want %v", e.Deploy, got, want)
		}
	}
}

func TestNothingCountedIsMissing(t *testing.T) {
	found, err := Reader{Conn: startDB(t).Conn()}.At(t.Context(), eventObjectives(), origin)
	if err != nil || len(found) != 4 {
		t.Fatalf("%d evaluations, %v", len(found), err)
	}
	for _, e := range found {
		if slices.ContainsFunc(e.Counted, func(c burn.Counted) bool { return c.Verdict != plumbline.VerdictMissing }) {
			t.Errorf("%+v", e)
		}
	}
}

func TestFreshRows(t *testing.T) {
	const m = 60
	rows := freshRows([]int64{2 * m, 3 * m, 10 * m}, 0, 12*m, 3*m)
	var got []string
	for _, r := range rows {
		got = append(got, fmt.Sprint(r.minute/m, r.good))
	}
	want := []string{"2 1", "3 1", "4 1", "5 1", "6 0", "7 0", "8 0", "9 0", "10 1", "11 1"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if rows := freshRows(nil, 0, 10*m, m); rows != nil {
		t.Errorf("what never answered is not stale: %v", rows)
	}
}

// An endpoint that fell silent long ago is silent still: a page of it does not end because
// nobody remembers that it ever answered.
func TestALongSilenceIsNotForgotten(t *testing.T) {
	db := startDB(t)
	exec(t, db, "INSERT INTO series_hour (model, deploy_hash, stage, series, time, count) VALUES ('m', 'd', 'production', 'requests', '%s', 1)", origin.Add(-20*24*time.Hour).Truncate(time.Hour).Format(time.DateTime))
	all := []plumbline.Objective{objective("fresh", plumbline.SLI{Kind: plumbline.SLIFreshness, Within: 5 * time.Minute}, nil)}
	never := objective("never", plumbline.SLI{Kind: plumbline.SLIFreshness, Within: 5 * time.Minute}, func(s *plumbline.SLO) { s.Model = "never" })
	all = append(all, never)
	count(t, New(DefaultConfig(), db, nil, nil), all, origin)
	found, err := Reader{Conn: db.Conn()}.At(t.Context(), all, origin)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range found {
		c, silent := e.Counted[0], e.Objective.SLO.Name == "fresh"
		if silent != (c.Long.Share() == 1) || silent == (c.Verdict == plumbline.VerdictMissing) {
			t.Errorf("%s: %s, %+v", e.Objective.SLO.Name, c.Verdict, c.Long)
		}
	}
}

// constants evaluates PromQL to constants.
type constants map[string]float64

func (c constants) Minutes(_ context.Context, expr string, first, last time.Time) ([]float64, error) {
	all := make([]float64, last.Sub(first)/time.Minute+1)
	for i := range all {
		all[i] = math.NaN()
		if v, ok := c[expr]; ok {
			all[i] = v
		}
	}
	return all, nil
}

// TestByTime counts the kinds that no batch of events tells the news of.
func TestByTime(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, 0, 1200, 6*time.Second, origin, origin)
	exec(t, db, `INSERT INTO series_minute (model, deploy_hash, stage, series, time, count) SELECT model, deploy_hash, stage, 'requests', toStartOfMinute(ts), 1 FROM predictions WHERE ts < '%s'`, stamp(origin.Add(-30*time.Minute)))
	exec(t, db, `INSERT INTO outcomes (model, deploy_hash, stage, prediction_id, ts, known, labelled, version) SELECT model, deploy_hash, stage, prediction_id, ts, ts + if(_offset %% 4 = 0, 7200, 60), 1, 1 FROM predictions WHERE _offset %% 5 != 0`)
	exec(t, db, `INSERT INTO findings (at, signal, model, stage, feature, reference, measure, value, verdict) SELECT toDateTime('%s') - number * 60, 'drift', 'm', 'production', 'amount', 'training', 'psi', if(number < 15, 0.5, 0.1), if(number %% 10 = 0, 'insufficient', 'ok') FROM numbers(60)`, origin.Add(-time.Minute).Format(time.DateTime))
	statement := "SELECT ts AS time, deploy_hash, toUInt64(status = 'ok') AS good, 1 AS total FROM predictions WHERE stage = 'production' AND ts >= {from:DateTime} AND ts < {to:DateTime}"
	all := []plumbline.Objective{
		objective("fresh", plumbline.SLI{Kind: plumbline.SLIFreshness, Within: 5 * time.Minute}, nil),
		objective("labels", plumbline.SLI{Kind: plumbline.SLILabelArrival, Within: 10 * time.Minute}, nil),
		objective("drift", plumbline.SLI{Kind: plumbline.SLIDrift, Signal: "drift", Measure: "psi", Feature: "amount", Reference: "training", Op: "lte", Value: 0.25}, nil),
		objective("sql", plumbline.SLI{Kind: plumbline.SLISQL, Query: statement}, nil),
		objective("promql", plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: "all"}, nil),
	}
	counter := New(DefaultConfig(), db, db.Conn(), constants{"bad": 0.5, "all": 10})
	counter.budget = time.Hour
	count(t, counter, all, origin)
	found, err := Reader{Conn: db.Conn()}.At(t.Context(), all, origin)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range found {
		if c := e.Counted[0]; e.Objective.SLO.Name == "labels" && (c.Short.Total == 0 || c.Verdict == plumbline.VerdictMissing) {
			t.Errorf("labels of %s: %s, short window %+v", e.Deploy, c.Verdict, c.Short)
		}
		c := e.Counted[0].Long
		got[fmt.Sprint(e.Objective.SLO.Name, " ", e.Deploy)] = fmt.Sprintf("%.3g of %.0f", c.Share(), c.Total)
	}
	// The endpoint fell silent 30 minutes ago and was fresh for 5 of them: 26
	// minutes, one of which ends as the last answer is 5 minutes old.
	for name, want := range map[string]string{"fresh ": "0.433 of 60", "drift ": "0.241 of 54", "promql ": "0.05 of 600000"} {
		if got[name] != want {
			t.Errorf("%s: %s, want %s (%v)", name, got[name], want, got)
		}
	}
	for _, d := range []plumbline.DeployHash{"d0", "d1"} {
		var want burn.Count
		row := db.Conn().QueryRow(t.Context(), fmt.Sprintf(`SELECT toFloat64(countIf(_offset %% 5 = 0 OR _offset %% 4 = 0)), toFloat64(count()), toFloat64(countIf(status != 'ok' AND ts >= '%s')) FROM predictions
WHERE stage = 'production' AND deploy_hash = '%s' AND ts >= '%s' AND ts < '%s'`, stamp(origin.Add(-time.Hour)), d, stamp(origin.Add(-70*time.Minute)), stamp(origin.Add(-10*time.Minute))))
		var failed float64
		if err := row.Scan(&want.Bad, &want.Total, &failed); err != nil {
			t.Fatal(err)
		}
		if g, w := got["labels "+string(d)], fmt.Sprintf("%.3g of %.0f", want.Share(), want.Total); g != w {
			t.Errorf("labels of %s: %s, want %s", d, g, w)
		}
		if c := got["sql "+string(d)]; c == "" {
			t.Errorf("no counts of the statement for %s: %v", d, got)
		}
	}
}

// What a step has no time for has its turn in the next.
func TestStatementsTakeTurns(t *testing.T) {
	var all []plumbline.Objective
	for _, name := range []string{"a", "b", "c"} {
		all = append(all, objective(name, plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: name, Total: "all"}, nil))
	}
	counter := New(DefaultConfig(), startDB(t), nil, constants{"all": 10})
	counter.budget = 0
	var asked [][]plumbline.SLIID
	for range 2 * len(all) {
		before := maps.Clone(counter.lastTurn)
		if err := counter.Step(t.Context(), all, origin); err != nil {
			t.Fatal(err)
		}
		var now []plumbline.SLIID
		for id, turn := range counter.lastTurn {
			if turn != before[id] {
				now = append(now, id)
			}
		}
		asked = append(asked, now)
	}
	first, again := asked[:len(all)], asked[len(all):]
	each := slices.Compact(slices.Sorted(slices.Values(slices.Concat(first...))))
	if slices.ContainsFunc(asked, func(ids []plumbline.SLIID) bool { return len(ids) != 1 }) || len(each) != len(all) || fmt.Sprint(first) != fmt.Sprint(again) {
		t.Errorf("asked were %v, want each of %d in its turn, and again", asked, len(all))
	}
}

// How a statement failed is known until it is counted.
func TestHowAStatementFailed(t *testing.T) {
	slo := objective("mistyped", plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: "all"}, nil)
	well := objective("well", plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: "steady"}, nil)
	values := failing{constants: constants{"all": 10, "steady": 10}, expr: "all"}
	counter := New(DefaultConfig(), startDB(t), nil, values)
	if err := counter.Step(t.Context(), []plumbline.Objective{slo, well}, origin); err == nil {
		t.Error("nothing was said of the failure")
	}
	if of, other := counter.Failure(slo.SLO.SLIID()), counter.Failure(well.SLO.SLIID()); !errors.Is(of, errUnknown) || other != nil {
		t.Errorf("the failure is %v, that of the other %v", of, other)
	}
	counter.promql = values.constants
	if err := counter.Step(t.Context(), []plumbline.Objective{slo, well}, origin.Add(time.Minute)); err != nil || counter.Failure(slo.SLO.SLIID()) != nil {
		t.Errorf("%v, and the failure is %v, when it is counted again", err, counter.Failure(slo.SLO.SLIID()))
	}
}

// failing evaluates all expressions but one.
type failing struct {
	constants
	expr string
}

var errUnknown = errors.New("unknown name")

func (f failing) Minutes(ctx context.Context, expr string, first, last time.Time) ([]float64, error) {
	if expr == f.expr {
		return nil, errUnknown
	}
	return f.constants.Minutes(ctx, expr, first, last)
}

// Statements of users that take all of the time keep nothing else from being counted.
func TestStatementsHoldUpNothingElse(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, 0, 100, time.Second, origin, origin)
	exec(t, db, "INSERT INTO series_minute (model, deploy_hash, stage, series, time, count) SELECT model, deploy_hash, stage, 'requests', toStartOfMinute(ts), 1 FROM predictions")
	fresh := objective("fresh", plumbline.SLI{Kind: plumbline.SLIFreshness, Within: 5 * time.Minute}, nil)
	all := []plumbline.Objective{fresh}
	for _, name := range []string{"a", "b", "c", "d"} {
		all = append(all, objective(name, plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: name, Total: "all"}, nil))
	}
	counter := New(DefaultConfig(), db, nil, constants{"all": 10})
	counter.budget = 0 // the first that is asked takes all of it
	for m := range 8 {
		now := origin.Add(time.Duration(m+1) * time.Minute)
		if err := counter.Step(t.Context(), all, now); err != nil {
			t.Fatal(err)
		}
		if at := counter.reached[fresh.SLO.SLIID()]; !at.Equal(now) {
			t.Fatalf("freshness is counted until %s, want %s", at.UTC(), now)
		}
	}
}

// hanging answers no expression.
type hanging struct{ asked int }

func (h *hanging) Minutes(ctx context.Context, _ string, _, _ time.Time) ([]float64, error) {
	h.asked++
	<-ctx.Done()
	return nil, ctx.Err()
}

// A statement that hangs is asked once and then left alone for a while.
func TestAStatementThatHangsRests(t *testing.T) {
	all := []plumbline.Objective{objective("hangs", plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: "all"}, nil)}
	promql := &hanging{}
	counter := New(DefaultConfig(), startDB(t), nil, promql)
	counter.patience = time.Millisecond
	if err := counter.Step(t.Context(), all, origin); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("the first step: %v, want that the time was over", err)
	}
	id := all[0].SLO.SLIID()
	if failure := counter.Failure(id); failure == nil || failure.Error() != "it takes longer than 1ms" {
		t.Errorf("the failure is told as %v", failure)
	}
	counter.rests[id] = counter.rests[id].Add(time.Hour)
	asked := promql.asked
	if err := counter.Step(t.Context(), all, origin); err != nil || promql.asked != asked || asked == 0 {
		t.Errorf("asked %d times, then %d: %v", asked, promql.asked, err)
	}
	counter.rests[id] = time.Now()
	if err := counter.Step(t.Context(), all, origin); err == nil || promql.asked == asked {
		t.Errorf("not asked after its rest: %v", err)
	}
}

// TestStatementsRunReadOnly runs statements as the embedded engine's reader.
func TestStatementsRunReadOnly(t *testing.T) {
	env := testenv.Start(t, testenv.Setup{})
	if env.Engine == nil {
		t.Skip("a real ClickHouse has the users that its operator made")
	}
	cfg := storage.DefaultConfig()
	cfg.DSN = env.Engine.ReadDSN()
	reads, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := reads.Close(); err != nil {
			t.Error(err)
		}
	})
	const bounds = " AND toDateTime('2026-01-01') >= {from:DateTime} AND toDateTime('2026-01-01') < {to:DateTime}"
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := New(DefaultConfig(), env.DB, reads.Conn(), nil)
	rows, err := c.asked(t.Context(), "SELECT toDateTime('2026-01-01') AS time, 3 AS good, 4 AS total WHERE 1"+bounds, day, day.Add(time.Hour))
	if err != nil || len(rows) != 1 || rows[0].good != 3 || rows[0].total != 4 || rows[0].minute != day.Unix() {
		t.Errorf("%+v, %v", rows, err)
	}
	for _, bad := range []string{
		"SELECT now() AS time, 1 AS good, 1 AS total FROM url('http://127.0.0.1:1/', 'CSV', 'a String') WHERE 1" + bounds,
		"SELECT now() AS time, 1 AS good, 1 AS total FROM file('/etc/passwd', 'LineAsString') WHERE 1" + bounds,
		"SELECT now() AS time, 5 AS good, 4 AS total WHERE 1" + bounds,
	} {
		if rows, err := c.asked(t.Context(), bad, day, day.Add(time.Hour)); err == nil {
			t.Errorf("%s ran: %v", bad, rows)
		}
	}
}
