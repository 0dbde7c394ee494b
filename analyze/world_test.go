package analyze

import (
	"bytes"
	"encoding/json"
	"fmt"
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

// fault is when deploy v2 begins to serve.
var fault = time.Date(2026, 5, 14, 15, 0, 0, 0, time.UTC)

func startDB(t *testing.T) *storage.DB {
	t.Helper()
	return testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) {
		const decades = 20 * 365 * day
		c.Retention = storage.Retention{Raw: decades, Minutes: decades, Hours: decades}
	}}).DB
}

// event is one prediction of the world.
type event struct {
	deploy, stage string
	at            time.Time
	numbers       map[string]float64
	categories    map[string]string
	label         int // 0 none, 1 correct, -1 wrong
}

type hourKey struct {
	deploy, stage, series string
	hour                  int64
}

func insert(t *testing.T, db *storage.DB, table string, rows []map[string]any) {
	t.Helper()
	var body bytes.Buffer
	for _, r := range rows {
		if err := json.NewEncoder(&body).Encode(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Conn().InsertFormat(t.Context(), "JSONEachRow", "INSERT INTO "+table, &body); err != nil {
		t.Fatal(err)
	}
}

// store writes the rollups and cells of the events, as ingest and the join do.
func store(t *testing.T, db *storage.DB, model string, events []event) {
	t.Helper()
	hours := map[hourKey]map[int32]uint64{}
	counts := map[string]map[string]any{}
	bump := func(table string, row map[string]any, fields ...string) {
		row["model"], row["segment"] = model, ""
		key := fmt.Sprint(table, row["deploy_hash"], row["stage"], row["series"], row["time"], row["value"])
		if _, ok := counts[key]; !ok {
			row["$table"] = table
			for _, f := range fields {
				row[f] = 0
			}
			counts[key] = row
		}
		for _, f := range fields {
			counts[key][f] = counts[key][f].(int) + 1
		}
	}
	for _, e := range events {
		hour, minute := e.at.Truncate(time.Hour).Unix(), e.at.Truncate(time.Minute).Unix()
		for table, at := range map[string]int64{"series_minute": minute, "series_hour": hour} {
			bump(table, map[string]any{"deploy_hash": e.deploy, "stage": e.stage, "series": "requests", "grid": "", "time": at}, "count")
		}
		for f, v := range e.numbers {
			key := hourKey{e.deploy, e.stage, string(plumbline.Feature(f).Series()), hour}
			if hours[key] == nil {
				hours[key] = map[int32]uint64{}
			}
			hours[key][grid.Bucket(v)]++
		}
		for f, v := range e.categories {
			row := map[string]any{"deploy_hash": e.deploy, "stage": e.stage, "series": string(plumbline.Feature(f).Series()), "time": hour, "value": v, "kind": 0}
			bump("categories_hour", row, "count")
		}
		if e.label != 0 {
			fields := []string{"labelled", "version"}
			if e.label > 0 {
				fields = append(fields, "correct")
			}
			row := map[string]any{"deploy_hash": e.deploy, "stage": e.stage, "time": minute, "known": hour, "correct": 0}
			bump("outcome_cells", row, fields...)
		}
	}
	byTable := map[string][]map[string]any{}
	for _, row := range counts {
		table := row["$table"].(string)
		delete(row, "$table")
		byTable[table] = append(byTable[table], row)
	}
	for key, buckets := range hours {
		var sorted []int32
		for b := range buckets {
			sorted = append(sorted, b)
		}
		slices.Sort(sorted)
		var n []uint64
		total := uint64(0)
		for _, b := range sorted {
			n = append(n, buckets[b])
			total += buckets[b]
		}
		byTable["series_hour"] = append(byTable["series_hour"], map[string]any{
			"model": model, "deploy_hash": key.deploy, "stage": key.stage, "series": key.series, "grid": "f8", "time": key.hour,
			"segment": "", "count": total, "hist": []any{sorted, n},
		})
	}
	for table, rows := range byTable {
		insert(t, db, table, rows)
	}
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
