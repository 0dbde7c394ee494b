package verify_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/verify"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

// delivery is one event, and what was counted of it is counted here in Go.
type delivery struct {
	deploy, status, country string
	ts, known               time.Time
	latency, cost           float64 // below 0 is none
}

func indicators() []plumbline.SLO {
	return []plumbline.SLO{
		{Name: "fast", Model: "m", SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: 200}},
		{Name: "faster", Model: "m", Deploy: "d0", SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: 200}}, // the same indicator
		{Name: "works", Model: "m", SLI: plumbline.SLI{Kind: plumbline.SLISuccess}},
		{Name: "cheap", Model: "m", Segment: "country=DE", SLI: plumbline.SLI{Kind: plumbline.SLICost, Feature: "cost", Op: "lt", Value: 0.5}},
		{Name: "new", Model: "m", SLI: plumbline.SLI{Kind: plumbline.SLILatency, Op: "lte", Value: 7}},
		{Name: "up", Model: "m", SLI: plumbline.SLI{Kind: plumbline.SLIFreshness, Within: time.Hour}},
		{Name: "right", Model: "m", Measure: plumbline.MeasureAccuracy},
	}
}

// judge says whether an event counts for an SLO, and is good.
func (d delivery) judge(name plumbline.SLOName) (counts, good bool) {
	switch name {
	case "fast":
		return d.latency >= 0, d.latency <= 200
	case "works":
		return true, d.status == "ok"
	case "cheap":
		return d.cost >= 0 && d.country == "DE", d.cost < 0.5
	}
	return false, false
}

func storeDeliveries(t *testing.T, db *storage.DB, all []delivery, first int, stored time.Time) {
	t.Helper()
	var rows []string
	oldest, newest := all[0].ts, all[0].ts
	for i, d := range all {
		latency, cost := "NULL", "map()"
		if d.latency >= 0 {
			latency = fmt.Sprint(d.latency)
		}
		if d.cost >= 0 {
			cost = fmt.Sprintf("map('cost', %v)", d.cost)
		}
		if d.ts.Before(oldest) {
			oldest = d.ts
		}
		if d.ts.After(newest) {
			newest = d.ts
		}
		rows = append(rows, fmt.Sprintf("('m', '%s', 'production', '%d', fromUnixTimestamp64Milli(%d), fromUnixTimestamp64Milli(%d), %s, map('country', '%s'), %s, '%s', 1, 't', 'e', %d)",
			d.deploy, first+i, d.ts.UnixMilli(), d.known.UnixMilli(), cost, d.country, latency, d.status, first+i))
	}
	run(t, db, "INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, known, numbers, segments, latency_ms, status, weight, _topic, _epoch, _offset) VALUES "+strings.Join(rows, ","))
	run(t, db, fmt.Sprintf("INSERT INTO batches (topic, epoch, partition, first, last, table, rows, events, stored, ts_min, ts_max) VALUES ('t', 'e', 0, %d, %d, 'predictions', %d, %d, fromUnixTimestamp64Milli(%d), fromUnixTimestamp64Milli(%d), fromUnixTimestamp64Milli(%d))",
		first, first+len(all)-1, len(all), len(all), stored.UnixMilli(), oldest.UnixMilli(), newest.UnixMilli()))
}

func run(t *testing.T, db *storage.DB, statement string) {
	t.Helper()
	if err := db.Conn().Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// storeCounts counts events in Go and writes what the service would have.
func storeCounts(t *testing.T, db *storage.DB, slo plumbline.SLO, all []delivery, version time.Time) (minutes int) {
	t.Helper()
	type key struct {
		deploy string
		minute int64
	}
	good, total := map[key]int{}, map[key]int{}
	for _, d := range all {
		if counts, ok := d.judge(slo.Name); counts {
			k := key{d.deploy, d.ts.Truncate(time.Minute).Unix()}
			total[k]++
			if ok {
				good[k]++
			}
		}
	}
	var rows []string
	for k, n := range total {
		rows = append(rows, fmt.Sprintf("('%s', 'm', '%s', toDateTime(%d), %d, %d, %d, %d)", slo.SLIID(), k.deploy, k.minute, good[k], n, n, version.UnixMilli()))
	}
	run(t, db, "INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES "+strings.Join(rows, ","))
	return len(total)
}

func TestCountsOfIndicatorsAreRecomputed(t *testing.T) {
	db := testenv.Start(t, testenv.Setup{}).DB
	end := time.Now().UTC().Truncate(time.Hour)
	random := rand.New(rand.NewPCG(8, 8))
	var all []delivery
	for at := end.Add(-3 * time.Hour); at.Before(end); at = at.Add(10 * time.Second) {
		d := delivery{deploy: fmt.Sprint("d", random.IntN(2)), status: []string{"ok", "ok", "timeout"}[random.IntN(3)], country: []string{"DE", "FR"}[random.IntN(2)],
			ts: at, known: at.Add(time.Second), latency: float64(random.IntN(401)), cost: float64(random.IntN(11)) / 10}
		if random.IntN(10) == 0 {
			d.latency, d.cost = -1, -1
		}
		all = append(all, d)
	}
	storeDeliveries(t, db, all, 0, end)
	keys := 0
	for _, slo := range indicators() {
		if slo.Name == "fast" || slo.Name == "works" || slo.Name == "cheap" {
			keys += storeCounts(t, db, slo, all, end)
		}
	}
	verified := func() (verify.TableReport, verify.IndicatorsReport) {
		t.Helper()
		r, err := verify.Run(t.Context(), db.Conn(), verify.Options{From: end.Add(-24 * time.Hour), To: end.Add(time.Hour), SLOs: indicators()})
		if err != nil {
			t.Fatal(err)
		}
		last := r.Tables[len(r.Tables)-1]
		if last.Table != plumbline.TableSLI {
			t.Fatalf("the last table is %s", last.Table)
		}
		return last, r.Indicators
	}
	table, about := verified()
	if table.Keys != uint64(keys) || table.Differing != 0 || about.Compared != 3 || about.NotCounted != 1 || about.Open+about.Late != 0 || fmt.Sprint(about.Otherwise) != "[freshness]" {
		t.Errorf("%+v, %+v, want %d keys, all equal", table, about, keys)
	}
	// A batch since, which is not counted yet, is no difference; nor is an event that
	// came a week late.
	since := []delivery{{deploy: "d0", status: "ok", country: "DE", ts: end.Add(-90 * time.Minute), known: end, latency: 1, cost: 0.1}}
	storeDeliveries(t, db, since, 10_000, end.Add(time.Second))
	if table, about := verified(); table.Differing != 0 || about.Open != 5 && about.Open != 6 {
		t.Errorf("%+v, %+v, want the minute open for both deploys", table, about)
	}
	counted := append(all, since...)
	for _, slo := range indicators() {
		if slo.Name == "fast" || slo.Name == "works" || slo.Name == "cheap" {
			storeCounts(t, db, slo, counted, end.Add(time.Second))
		}
	}
	overdue := []delivery{{deploy: "d1", status: "ok", country: "FR", ts: end.Add(-2 * time.Hour), known: end.Add(8 * 24 * time.Hour), latency: 1, cost: -1}}
	storeDeliveries(t, db, overdue, 20_000, end)
	if table, about := verified(); table.Differing != 0 || about.Open != 0 || about.Late != 2 {
		t.Errorf("%+v, %+v, want two late minutes", table, about)
	}
	// A count that is off by one, and one that is of nothing.
	works := indicators()[2].SLIID()
	run(t, db, fmt.Sprintf("INSERT INTO sli SELECT sli, model, deploy_hash, time, good + 1, total, rows, version + 1 FROM sli FINAL WHERE sli = '%s' AND deploy_hash = 'd0' AND time = toDateTime(%d)", works, end.Add(-20*time.Minute).Unix()))
	run(t, db, fmt.Sprintf("INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES ('%s', 'm', 'ghost', toDateTime(%d), 1, 1, 1, 1)", works, end.Add(-20*time.Minute).Unix()))
	if table, _ := verified(); table.Differing != 2 || len(table.Differences) != 2 || !strings.Contains(strings.Join(table.Differences, " "), "ghost") {
		t.Errorf("%+v, want two differences", table)
	}
}
