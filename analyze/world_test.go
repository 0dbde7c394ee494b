package analyze

import (
	"fmt"
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

// now is the wall clock of every test: a Thursday, twenty past the hour.
var now = time.Date(2026, 5, 14, 18, 20, 0, 0, time.UTC)

// fault is when deploy v2 begins to serve: late in an hour, so that the rollups
// of its first hour hold a part of what is usual by the clock.
var fault = time.Date(2026, 5, 14, 14, 50, 0, 0, time.UTC)

func startDB(t *testing.T) *storage.DB {
	t.Helper()
	return testenv.Start(t, testenv.Setup{Storage: testenv.KeepAll}).DB
}

// event is one prediction of the world.
type event struct {
	deploy, stage string
	at            time.Time
	numbers       map[string]float64
	categories    map[string]string
	label         int // 0 none, 1 correct, -1 wrong
}

// null is the category of a feature that was sent as null.
const null = "\x00null"

type hourKey struct {
	deploy, stage, series string
	hour                  int64
}

func insert(t *testing.T, db *storage.DB, table string, rows []map[string]any) {
	t.Helper()
	testenv.Insert(t, db, table, rows)
}

// rollups collects the rows that ingest and the join would have written, by
// table.
type rollups struct {
	model string
	rows  map[string]map[string]map[string]any // by table, then key
	hist  map[hourKey]map[int32]uint64
	exact map[hourKey]*exact
}

// exact is what a rollup keeps beside the histogram.
type exact struct {
	sum, min, max float64
	nans, infs    int
}

// bump adds one to the fields of the row of the same key.
func (r *rollups) bump(table string, row map[string]any, fields ...string) {
	row["model"], row["segment"] = r.model, ""
	key := fmt.Sprint(row["deploy_hash"], row["stage"], row["series"], row["time"], row["value"])
	if r.rows[table] == nil {
		r.rows[table] = map[string]map[string]any{}
	}
	if r.rows[table][key] == nil {
		r.rows[table][key] = row
	}
	for _, f := range fields {
		n, _ := r.rows[table][key][f].(int)
		r.rows[table][key][f] = n + 1
	}
}

func (r *rollups) add(e event) {
	hour, minute := e.at.Truncate(time.Hour).Unix(), e.at.Truncate(time.Minute).Unix()
	key := func(series plumbline.Series, at int64) map[string]any {
		return map[string]any{"deploy_hash": e.deploy, "stage": e.stage, "series": series, "time": at}
	}
	r.bump("series_minute", key(plumbline.SeriesRequests, minute), "count")
	r.bump("series_hour", key(plumbline.SeriesRequests, hour), "count")
	for f, v := range e.numbers {
		k := hourKey{e.deploy, e.stage, string(plumbline.Feature(f).Series()), hour}
		r.number(k, v)
	}
	for f, v := range e.categories {
		row := key(plumbline.Feature(f).Series(), hour)
		row["value"], row["kind"] = v, 0
		if v == null {
			row["value"], row["kind"] = "", 1
		}
		r.bump("categories_hour", row, "count")
	}
	if e.label != 0 {
		fields := []string{"labelled", "version"}
		if e.label > 0 {
			fields = append(fields, "correct")
		}
		row := key("", minute)
		row["known"], row["correct"] = hour, 0
		delete(row, "series")
		r.bump("outcome_cells", row, fields...)
	}
}

// number counts one numeric value as ingest does.
func (r *rollups) number(k hourKey, v float64) {
	if r.hist[k] == nil {
		r.hist[k] = map[int32]uint64{}
		r.exact[k] = &exact{min: math.Inf(1), max: math.Inf(-1)}
	}
	x := r.exact[k]
	switch {
	case math.IsNaN(v):
		x.nans++
	case math.IsInf(v, 0):
		x.infs++
	default:
		r.hist[k][grid.Bucket(v)]++
		x.sum, x.min, x.max = x.sum+v, min(x.min, v), max(x.max, v)
	}
}

// store writes the rollups and cells of the events.
func store(t *testing.T, db *storage.DB, model string, events []event) {
	t.Helper()
	r := &rollups{model: model, rows: map[string]map[string]map[string]any{}, hist: map[hourKey]map[int32]uint64{}, exact: map[hourKey]*exact{}}
	for _, e := range events {
		r.add(e)
	}
	for table, rows := range r.rows {
		insert(t, db, table, slices.Collect(maps.Values(rows)))
	}
	var series []map[string]any
	for key, buckets := range r.hist {
		sorted := slices.Sorted(maps.Keys(buckets))
		counts, total := make([]uint64, len(sorted)), uint64(0)
		for i, b := range sorted {
			counts[i] = buckets[b]
			total += buckets[b]
		}
		x := r.exact[key]
		series = append(series, map[string]any{
			"nans": x.nans, "infs": x.infs, "sum_nano": int64(math.Round(x.sum * 1e9)), "min": number(x.min), "max": number(x.max),
			"model": model, "deploy_hash": key.deploy, "stage": key.stage, "series": key.series, "grid": grid.Full, "time": key.hour,
			"segment": "", "count": total, "hist": []any{sorted, counts},
		})
	}
	insert(t, db, "series_hour", series)
}

// number is how JSON spells what it has no number for.
func number(v float64) any {
	if math.IsInf(v, 0) {
		return fmt.Sprint(v)
	}
	return v
}

// features are a flight's: miles, the hour and the weekday of its departure.
func features(random *rand.Rand, at time.Time) (map[string]float64, map[string]string) {
	return map[string]float64{"distance": float64(100 + random.IntN(940)), "hour": float64(at.Hour())},
		map[string]string{"weekday": at.Weekday().String()}
}

// flights is a world like the demo's: a training set over all hours and
// weekdays, v1 for two days, and v2 whose distance is in metres for nine flights
// of ten, and wrong for most of them.
func flights(random *rand.Rand) []event {
	var events []event
	for i := range 20_000 {
		at := now.Add(-40 * day).Add(time.Duration(i) * (28 * day / 20_000))
		e := event{deploy: "v1", stage: "training", at: now.Add(-4 * day)}
		e.numbers, e.categories = features(random, at)
		events = append(events, e)
	}
	for at := now.Add(-2 * day); at.Before(now); at = at.Add(20 * time.Second) {
		e := event{deploy: "v1", stage: "production", at: at, label: 1}
		e.numbers, e.categories = features(random, at)
		wrong := random.IntN(5) == 0
		if !at.Before(fault) {
			e.deploy = "v2"
			if random.IntN(10) > 0 {
				e.numbers["distance"] *= 1609.344
			}
			wrong = random.IntN(5) > 0
		}
		if wrong {
			e.label = -1
		}
		if at.After(now.Add(-time.Hour)) {
			e.label = 0 // not landed
		}
		events = append(events, e)
	}
	return events
}
