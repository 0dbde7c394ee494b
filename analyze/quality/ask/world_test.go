package ask

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/ingest/segment"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

// startBoth returns the database, and the same as the user that may only read: a
// real ClickHouse has the users that its operator made, and there it is the same.
func startBoth(t *testing.T) (db, reads *storage.DB) {
	t.Helper()
	cfg := storage.DefaultConfig()
	env := testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) {
		cfg.Database = c.Database
		testenv.KeepAll(c)
	}})
	if env.Engine == nil {
		return env.DB, env.DB
	}
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
	return env.DB, reads
}

// begin and end are the window of the tests, across a midnight.
var (
	begin = time.Date(2026, 3, 31, 20, 0, 0, 0, time.UTC)
	end   = begin.Add(8 * time.Hour)
)

// prediction is one event as a producer sent it, with all that was said of it.
type prediction struct {
	id, deploy, stage, region string
	at                        time.Time
	predicted                 string
	value, score              float64 // NaN if absent
	weight                    int
	halves                    bool // request and response apart
	repeated                  bool // delivered twice
	numbers                   map[string]float64
	categories                map[string]string
	labels                    []label
}

type label struct {
	time, known time.Time
	class       string
	value       float64 // NaN if absent
	deleted     bool
	offset      int64
}

// won returns the label that counts as known before an instant.
func (p prediction) won(asOf time.Time) (label, bool) {
	var best label
	found := false
	for _, l := range p.labels {
		if !l.known.Before(asOf) {
			continue
		}
		if !found || l.time.After(best.time) || l.time.Equal(best.time) && l.offset > best.offset {
			best, found = l, true
		}
	}
	return best, found && !best.deleted
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

func present(v float64) any {
	if math.IsNaN(v) {
		return nil
	}
	return v
}

// world is what a model answered.
type world struct {
	model string
	all   []prediction
}

// store writes raw rows and rollups as ingest does, and joins twice: corrections
// of the last world meet labels that are joined already.
func store(t *testing.T, db *storage.DB, worlds ...world) {
	t.Helper()
	cfg := join.DefaultConfig()
	cfg.Segments = segment.Declared{}
	var predictions, labels []map[string]any
	last := 0
	for _, w := range worlds {
		cfg.Segments[plumbline.Model(w.model)] = segment.Model{Segments: []segment.Segment{
			{Name: "region", Values: []string{"eu", "us"}}, {Name: "device", Values: []string{"phone"}}, {Joint: []string{"region", "device"}}}}
		for _, p := range w.all {
			predictions = append(predictions, p.rows(w.model, int64(len(predictions)))...)
		}
		said := labelRows(w.model, w.all, int64(len(labels)))
		labels, last = append(labels, said...), len(said)
		rollup(t, db, w.model, w.all)
	}
	joiner, err := join.New(cfg, join.Dependencies{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	batch := func(table string, rows []map[string]any) {
		testenv.Insert(t, db, table, rows)
		first, last := rows[0]["_offset"].(int64), rows[len(rows)-1]["_offset"].(int64)
		testenv.Insert(t, db, "batches", []map[string]any{{"topic": table, "epoch": "e", "partition": 0, "first": first, "last": last, "table": table, "rows": len(rows), "events": len(rows),
			"known_min": stamp(begin.Add(-day)), "known_max": stamp(end.Add(30 * day))}})
	}
	batch("predictions", predictions)
	cut := len(labels) - last/2
	for _, half := range [][]map[string]any{labels[:cut], labels[cut:]} {
		batch("labels", half)
		for more := true; more; {
			p, err := joiner.Step(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			more = p.More
		}
	}
}

// labelRows are the labels of predictions, by offset.
func labelRows(model string, all []prediction, base int64) []map[string]any {
	var rows []map[string]any
	for _, p := range all {
		for _, l := range p.labels {
			deleted := 0
			if l.deleted {
				deleted = 1
			}
			rows = append(rows, map[string]any{"model": model, "prediction_id": p.id, "ts": stamp(l.time), "known": stamp(l.known), "label": l.class, "label_value": present(l.value),
				"deleted": deleted, "_topic": "labels", "_epoch": "e", "_partition": 0, "_offset": base + l.offset})
		}
	}
	slices.SortFunc(rows, func(a, b map[string]any) int { return int(a["_offset"].(int64) - b["_offset"].(int64)) })
	return rows
}

// rows are the deliveries of a prediction.
func (p prediction) rows(model string, offset int64) []map[string]any {
	row := func(half string, after time.Duration, n int64) map[string]any {
		return map[string]any{"model": model, "prediction_id": p.id, "deploy_hash": p.deploy, "stage": p.stage, "ts": stamp(p.at.Add(after)), "known": stamp(p.at.Add(after + time.Second)),
			"weight": p.weight, "half": half, "_topic": "predictions", "_epoch": "e", "_partition": 0, "_offset": offset + n, "segments": map[string]string{}, "numbers": map[string]float64{}, "categories": map[string]string{}}
	}
	ask := func(r map[string]any) map[string]any {
		r["segments"], r["numbers"], r["categories"] = map[string]string{"region": p.region, "device": "phone"}, p.numbers, p.categories
		return r
	}
	answer := func(r map[string]any) map[string]any {
		r["predicted"], r["predicted_value"], r["score"] = p.predicted, present(p.value), present(p.score)
		return r
	}
	var rows []map[string]any
	if p.halves {
		rows = append(rows, ask(row("request", -time.Second, 0)), answer(row("response", 0, 1)))
	} else {
		rows = append(rows, answer(ask(row("", 0, 0))))
	}
	if p.repeated && !p.halves {
		rows = append(rows, answer(ask(row("", 5*time.Minute, 1))))
	}
	return rows
}

// rollup writes the counts of requests and classes.
func rollup(t *testing.T, db *storage.DB, model string, all []prediction) {
	t.Helper()
	type key struct {
		table, deploy, stage, segment, value string
		at                                   int64
	}
	counts := map[key][2]int{}
	for _, p := range all {
		for _, s := range []string{"", "region=" + p.listed(), "device=phone", "region=" + p.listed() + ",device=phone"} {
			hour, minute := p.at.Truncate(time.Hour).Unix(), p.at.Truncate(time.Minute).Unix()
			for _, k := range []key{{"series_hour", p.deploy, p.stage, s, "", hour}, {"series_minute", p.deploy, p.stage, s, "", minute}, {"categories_hour", p.deploy, p.stage, s, p.predicted, hour}} {
				counts[k] = [2]int{counts[k][0] + p.weight, counts[k][1] + 1}
			}
		}
	}
	rows := map[string][]map[string]any{}
	for k, n := range counts {
		row := map[string]any{"model": model, "deploy_hash": k.deploy, "stage": k.stage, "segment": k.segment, "count": n[0], "rows": n[1], "time": k.at, "series": "requests"}
		if k.table == "categories_hour" {
			row["series"], row["value"] = "predicted", k.value
		}
		rows[k.table] = append(rows[k.table], row)
	}
	rows["series_hour"] = append(rows["series_hour"], features(model, all)...)
	for table, of := range rows {
		testenv.Insert(t, db, table, of)
	}
}

// features are the hours of the numeric features of all traffic.
func features(model string, all []prediction) []map[string]any {
	type key struct {
		deploy, stage, name string
		at                  int64
	}
	counts := map[key]map[int32]int{}
	for _, p := range all {
		for name, v := range p.numbers {
			k := key{p.deploy, p.stage, name, p.at.Truncate(time.Hour).Unix()}
			if counts[k] == nil {
				counts[k] = map[int32]int{}
			}
			counts[k][grid.Bucket(v)] += p.weight
		}
	}
	var rows []map[string]any
	for k, hist := range counts {
		buckets, n, total := slices.Sorted(maps.Keys(hist)), []int{}, 0
		for _, b := range buckets {
			n, total = append(n, hist[b]), total+hist[b]
		}
		rows = append(rows, map[string]any{"model": model, "deploy_hash": k.deploy, "stage": k.stage, "series": "feature:" + k.name, "grid": grid.Full, "time": k.at, "count": total, "rows": total, "hist": []any{buckets, n}})
	}
	return rows
}

// listed is the region as it is counted.
func (p prediction) listed() string {
	if p.region == "eu" || p.region == "us" {
		return p.region
	}
	return "other"
}

// binaryWorld is a model that finds fraud, worse in region eu of deploy b: late
// labels, corrections, withdrawn and repeated ones, halves, repeats, sampling.
func binaryWorld(random *rand.Rand, n int) []prediction {
	var all []prediction
	offset := int64(0)
	for i := range n {
		p := prediction{id: fmt.Sprint("id", i), deploy: []string{"a", "b"}[random.IntN(2)], stage: "production", region: []string{"eu", "us", "apac"}[random.IntN(3)],
			at: begin.Add(time.Duration(random.Int64N(int64(end.Sub(begin))/1e6)) * time.Millisecond), weight: 1 + 4*random.IntN(2), halves: random.IntN(5) == 0, repeated: random.IntN(6) == 0, value: math.NaN()}
		if random.IntN(12) == 0 {
			p.stage = "canary"
		}
		truth := random.IntN(4) == 0
		p.score = math.Round(1e3/(1+math.Exp(-random.NormFloat64()-map[bool]float64{true: 1.5, false: -1.5}[truth]))) / 1e3
		if p.deploy == "b" && p.region == "eu" && random.IntN(2) == 0 {
			p.score = 0.001 + 0.998*random.Float64()
		}
		p.score = min(max(p.score, 0.001), 0.999)
		p.predicted = []string{"ok", "fraud"}[map[bool]int{true: 1}[p.score > 0.5]]
		p.numbers = map[string]float64{"amount": math.Round(100 * random.ExpFloat64()), "age": float64(random.IntN(60))}
		p.categories = map[string]string{"channel": []string{"web", "shop"}[random.IntN(2)]}
		say := func(class string, delay time.Duration) {
			p.labels = append(p.labels, label{time: p.at.Add(delay - time.Minute), known: p.at.Add(delay), class: class, value: math.NaN(), offset: offset})
			offset++
		}
		class := []string{"ok", "fraud"}[map[bool]int{true: 1}[truth]]
		other := []string{"ok", "fraud"}[map[bool]int{false: 1}[truth]]
		late := time.Duration(1+random.IntN(40*3600)) * time.Second
		switch random.IntN(8) {
		case 0: // none
		case 1:
			say(other, late)
			say(class, late+time.Hour)
		case 2: // an old label that comes after a new one
			say(class, late)
			say(other, late+time.Hour)
			p.labels[1].time = p.labels[0].time.Add(-time.Second)
		case 3:
			say(class, late)
			say("", late+2*time.Hour)
			p.labels[1].deleted = true
		case 4:
			say(class, late)
			say(class, late+time.Minute)
		default:
			say(class, late)
		}
		all = append(all, p)
	}
	return all
}
