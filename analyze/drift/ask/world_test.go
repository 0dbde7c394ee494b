package ask

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

func startDB(t *testing.T) *storage.DB {
	t.Helper()
	return testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB
}

// event is one prediction: what a producer sent.
type event struct {
	deploy string
	stage  plumbline.Stage
	region string
	at     time.Time
	amount float64 // absent if 0
	kind   string  // null if empty
	score  float64 // of the stage production alone
}

// rollups are rows of the hourly tables by key, as ingest writes them.
type rollups struct {
	model  string
	series map[seriesKey]*seriesRow
	kinds  map[categoryKey]uint64
}

type seriesKey struct {
	deploy  string
	stage   plumbline.Stage
	segment string
	series  plumbline.Series
	grid    grid.Version
	hour    int64
}

type seriesRow struct {
	count, rows, nans uint64
	hist              map[int32]uint64
}

type categoryKey struct {
	seriesKey
	value string
	kind  int
}

func newRollups(model string) *rollups {
	return &rollups{model: model, series: map[seriesKey]*seriesRow{}, kinds: map[categoryKey]uint64{}}
}

func (r *rollups) add(e event) {
	for _, segment := range []string{"", "region=" + e.region} {
		key := seriesKey{deploy: e.deploy, stage: e.stage, segment: segment, hour: e.at.Truncate(time.Hour).Unix()}
		at := func(series plumbline.Series, version grid.Version) *seriesRow {
			key.series, key.grid = series, version
			if r.series[key] == nil {
				r.series[key] = &seriesRow{hist: map[int32]uint64{}}
			}
			return r.series[key]
		}
		put := func(row *seriesRow, bucket int32) {
			row.count++
			row.rows++
			row.hist[bucket]++
		}
		requests := at(plumbline.SeriesRequests, grid.None)
		requests.count++
		requests.rows++
		if math.IsNaN(e.amount) {
			at("feature:amount", grid.Full).nans++
		} else if e.amount != 0 {
			put(at("feature:amount", grid.Full), grid.Bucket(e.amount))
		}
		if e.stage == plumbline.StageProduction {
			put(at(plumbline.SeriesScore, grid.FullOdds), grid.OddsBucket(e.score))
		}
		key.series, key.grid = "feature:kind", ""
		kind := 0
		if e.kind == "" {
			kind = 1
		}
		r.kinds[categoryKey{key, e.kind, kind}]++
	}
}

// fill counts n values of a series.
func (r *rollups) fill(key seriesKey, n int, value func() float64) {
	key.grid = grid.Full
	row := &seriesRow{count: uint64(n), rows: uint64(n), nans: 2, hist: map[int32]uint64{}}
	for range n {
		row.hist[grid.Bucket(value())]++
	}
	r.series[key] = row
}

// store writes the rows in two inserts, so that keys have several of them.
func (r *rollups) store(t *testing.T, db *storage.DB) {
	t.Helper()
	var series, kinds []map[string]any
	for k, row := range r.series {
		buckets := slices.Sorted(maps.Keys(row.hist))
		counts := make([]uint64, len(buckets))
		for i, b := range buckets {
			counts[i] = row.hist[b]
		}
		series = append(series, map[string]any{
			"model": r.model, "deploy_hash": k.deploy, "stage": k.stage, "segment": k.segment, "series": k.series, "grid": k.grid,
			"time": k.hour, "count": row.count, "rows": row.rows, "nans": row.nans, "hist": []any{buckets, counts},
		})
	}
	for k, n := range r.kinds {
		kinds = append(kinds, map[string]any{
			"model": r.model, "deploy_hash": k.deploy, "stage": k.stage, "segment": k.segment, "series": k.series, "time": k.hour,
			"value": k.value, "kind": k.kind, "count": n, "rows": n,
		})
	}
	testenv.Insert(t, db, "series_hour", series)
	testenv.Insert(t, db, "categories_hour", kinds)
}

// storeEvents writes their rollups in two halves, as two batches would.
func storeEvents(t *testing.T, db *storage.DB, model string, events []event) {
	t.Helper()
	for _, half := range [][]event{events[:len(events)/2], events[len(events)/2:]} {
		r := newRollups(model)
		for _, e := range half {
			r.add(e)
		}
		r.store(t, db)
	}
}

// end is where the world of the tests ends: a midnight.
var end = time.Date(2026, 10, 29, 0, 0, 0, 0, time.UTC)

// payments is five weeks of a model: a training set, deploy v1 until the last
// two days, then v2, whose amounts are greater in region eu and whose kinds
// there have a new value.
func payments(random *rand.Rand) []event {
	var events []event
	draw := func(e event) event {
		e.region, e.kind = []string{"eu", "us"}[random.IntN(2)], []string{"card", "card", "cash", "cheque", ""}[random.IntN(5)]
		e.amount = math.Exp(3 + random.NormFloat64())
		e.score = random.Float64()
		switch {
		case random.IntN(50) == 0:
			e.amount = math.NaN()
		case random.IntN(50) == 0:
			e.amount = 0
		}
		if e.deploy == "v2" && e.region == "eu" {
			e.amount *= 1.5
			if random.IntN(4) == 0 {
				e.kind = "coin"
			}
		}
		return e
	}
	for range 4000 {
		events = append(events, draw(event{deploy: "v1", stage: plumbline.StageTraining, at: end.Add(-60 * day)}))
	}
	for at := end.Add(-5 * week); at.Before(end); at = at.Add(5 * time.Minute) {
		e := event{deploy: "v1", stage: plumbline.StageProduction, at: at}
		if !at.Before(end.Add(-2 * day)) {
			e.deploy = "v2"
		}
		events = append(events, draw(e))
	}
	return events
}
