package join

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// start is the zero of every test's clock: half an hour before midnight, so
// that histories cross hours, days and partitions.
var start = time.Date(2026, 3, 31, 23, 30, 0, 0, time.UTC)

// startDB starts a ClickHouse that does not expire what lies at start.
func startDB(tb testing.TB) *storage.DB {
	tb.Helper()
	return testenv.Start(tb, testenv.Setup{Storage: testenv.KeepAll}).DB
}

// row is one raw row; the fields of the other kind are zero.
type row struct {
	model, id     string
	ts, known     time.Time
	topic, epoch  string
	partition     int32
	offset        int64
	deploy, stage string            // predictions
	weight        int               // predictions; 0 is 1
	score         *float64          // predictions
	propensity    *float64          // predictions
	class         string            // predicted or label
	value         *float64          // predicted_value or label_value
	deleted       bool              // labels
	half          string            // predictions
	segments      map[string]string // predictions
}

// declared are the segments of model m; n has none.
func declared() segment.Declared {
	return segment.Declared{"m": {Segments: []segment.Segment{
		{Name: "region", Values: []string{"eu", "us"}}, {Name: "device", Values: []string{"phone"}}, {Joint: []string{"device", "region"}}}}}
}

// randomSegments are some that are declared, with values that are listed and
// such that are not.
func randomSegments(random *rand.Rand) map[string]string {
	segments := map[string]string{"else": "eu"}
	if random.IntN(3) > 0 {
		segments["region"] = []string{"eu", "us", "apac", "ant"}[random.IntN(4)]
	}
	if random.IntN(3) > 0 {
		segments["device"] = []string{"phone", "tv"}[random.IntN(2)]
	}
	return segments
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

// table is where the row is stored: every other topic is one of labels.
func (r row) table() string {
	if r.topic == "predictions" {
		return r.topic
	}
	return "labels"
}

func (r row) json() map[string]any {
	m := map[string]any{
		"model": r.model, "prediction_id": r.id, "ts": stamp(r.ts), "known": stamp(r.known),
		"_topic": r.topic, "_epoch": r.epoch, "_partition": r.partition, "_offset": r.offset,
	}
	if r.table() == "labels" {
		m["label"], m["label_value"], m["deleted"] = r.class, r.value, 0
		if r.deleted {
			m["deleted"] = 1
		}
		return m
	}
	m["deploy_hash"], m["stage"], m["predicted"], m["predicted_value"] = r.deploy, r.stage, r.class, r.value
	m["weight"], m["half"], m["segments"] = max(r.weight, 1), r.half, r.segments
	m["score"], m["propensity"] = r.score, r.propensity
	if r.segments == nil {
		m["segments"] = map[string]string{}
	}
	return m
}

// world is a set of topic partitions whose records are stored batch by batch.
type world struct {
	tb     testing.TB
	db     *storage.DB
	logs   map[string][]row // by topic/partition, in offset order
	stored map[string]int   // rows of the log that are stored and in batches
	first  map[string]int64 // the next batch's first offset
}

func newWorld(tb testing.TB, db *storage.DB) *world {
	return &world{tb: tb, db: db, logs: map[string][]row{}, stored: map[string]int{}, first: map[string]int64{}}
}

// append gives a row the next offset of its partition.
func (w *world) append(r row) {
	key := partition{topic: r.topic, epoch: r.epoch, number: r.partition}.key()
	r.offset = int64(len(w.logs[key]))
	if r.epoch == "e2" {
		// Offsets with gaps, as transactions and compaction leave them.
		r.offset *= 3
	}
	w.logs[key] = append(w.logs[key], r)
}

// store stores up to n more rows of a partition, as ingest does: raw rows,
// then the row of batches. Without complete, the raw rows are there alone.
func (w *world) store(key string, n int, complete bool) {
	w.tb.Helper()
	log := w.logs[key][w.stored[key]:]
	log = log[:min(n, len(log))]
	if len(log) == 0 {
		return
	}
	last := log[len(log)-1]
	low, high, first, latest := log[0].known, log[0].known, log[0].ts, log[0].ts
	rows := make([]map[string]any, 0, len(log))
	for _, r := range log {
		rows = append(rows, r.json())
		if r.known.Before(low) {
			low = r.known
		}
		if r.known.After(high) {
			high = r.known
		}
		if r.ts.Before(first) {
			first = r.ts
		}
		if r.ts.After(latest) {
			latest = r.ts
		}
	}
	if last.offset%3 == 0 { // finished from raw rows, whose times nobody has seen
		first, latest = time.UnixMilli(0).UTC(), time.UnixMilli(0).UTC()
	}
	testenv.Insert(w.tb, w.db, last.table(), rows)
	if !complete {
		return
	}
	testenv.Insert(w.tb, w.db, "batches", []map[string]any{{
		"topic": last.topic, "epoch": last.epoch, "partition": last.partition, "first": w.first[key], "last": last.offset,
		"table": last.table(), "rows": len(log), "events": len(log), "known_min": stamp(low), "known_max": stamp(high), "ts_min": stamp(first), "ts_max": stamp(latest),
	}, {
		"topic": last.topic, "epoch": last.epoch, "partition": last.partition, "first": w.first[key], "last": last.offset,
		"table": "series_minute", "rows": 1, "events": len(log), "known_min": stamp(low), "known_max": stamp(high),
	}})
	w.stored[key] += len(log)
	w.first[key] = last.offset + 1
}

// takeBack removes the rows of an incomplete batch, as a takeover with another
// plan does.
func (w *world) takeBack(key string) {
	w.tb.Helper()
	log := w.logs[key][w.stored[key]:]
	if len(log) == 0 {
		return
	}
	r := log[0]
	statement := fmt.Sprintf("ALTER TABLE %s DELETE WHERE _topic = '%s' AND _epoch = '%s' AND _partition = %d AND _offset >= %d SETTINGS mutations_sync = 1",
		r.table(), r.topic, r.epoch, r.partition, r.offset)
	if err := w.db.Conn().Exec(w.tb.Context(), statement); err != nil {
		w.tb.Fatal(err)
	}
}

// pending returns the partitions that have rows left to store.
func (w *world) pending() []string {
	var keys []string
	for key, log := range w.logs {
		if w.stored[key] < len(log) {
			keys = append(keys, key)
		}
	}
	return keys
}

func number(v float64) *float64 { return &v }

// history appends random rows: few ids, so that every id has deliveries and
// labels in several partitions, repeated, corrected, withdrawn and early.
func (w *world) history(random *rand.Rand, rows int) {
	deploys, classes := []string{"a", "b"}, []string{"late", "on_time"}
	minute := func(n int) time.Time { return start.Add(time.Duration(random.IntN(n*60_000)) * time.Millisecond) }
	for range rows {
		n := random.IntN(rows / 4)
		r := row{
			model: []string{"m", "n"}[n%2], id: fmt.Sprint("id", n), partition: int32(random.IntN(2)), epoch: "e1",
			known: minute(300), class: classes[random.IntN(2)],
		}
		if random.IntN(8) == 0 {
			r.epoch = "e2"
		}
		if n%5 == 0 { // a regression
			r.class, r.value = "", number([]float64{0, 1, 1, -2.5, 1e7, 1e13, random.NormFloat64()}[random.IntN(7)])
		}
		if random.IntN(3) == 0 {
			r.topic, r.deploy, r.stage = "predictions", deploys[random.IntN(2)], "production"
			if random.IntN(10) == 0 {
				r.stage = []string{"canary", "training"}[random.IntN(2)]
			}
			r.weight = 1 + random.IntN(10)
			if random.IntN(4) > 0 {
				r.score = number([]float64{0, 1, -0.5, random.Float64(), random.Float64(), random.Float64()}[random.IntN(6)])
			}
			if random.IntN(3) > 0 {
				r.propensity = number([]float64{1, 0.25, 1e-9, 1 - random.Float64()}[random.IntN(4)])
			}
			r.segments = randomSegments(random)
			r.half = []string{"", "", "request", "response"}[random.IntN(4)]
			if r.half == "response" && random.IntN(2) > 0 {
				r.segments = nil
			}
			r.ts = minute(90).Truncate(10 * time.Second)
			r.known = r.ts.Add(time.Duration(random.IntN(120_000)) * time.Millisecond)
			if random.IntN(3) == 0 { // sent twice, as a producer does that had no answer
				again := r
				again.known, again.partition = r.known.Add(time.Duration(random.IntN(3))*time.Minute), int32(random.IntN(2))
				w.append(again)
			}
		} else {
			r.topic = []string{"labels", "labels", "amendments"}[random.IntN(3)]
			r.ts = minute(4).Truncate(time.Minute) // few label times: ties are broken by topic, partition, offset
			r.deleted = random.IntN(10) == 0
			if r.deleted {
				r.class, r.value = "", nil
			}
		}
		w.append(r)
	}
}
