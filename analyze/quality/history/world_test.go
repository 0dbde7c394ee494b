package history_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/testenv"
)

func TestMain(m *testing.M) { testenv.Main(m) }

const day = 24 * time.Hour

// now is the wall clock of every test.
var now = time.Date(2026, 5, 14, 18, 0, 0, 0, time.UTC)

func startDB(t *testing.T) *storage.DB {
	t.Helper()
	return testenv.Start(t, testenv.Setup{Storage: func(c *storage.Config) {
		const decades = 20 * 365 * day
		c.Retention = storage.Retention{Raw: decades, Minutes: decades, Hours: decades}
	}}).DB
}

// prediction is one prediction of the world; known is zero where its label never
// comes.
type prediction struct {
	id, deploy, predicted, label string
	at, known                    time.Time
	score, lead                  float64
	// truth is what a regression's label says. Its predicted is empty, and its score
	// what it predicted.
	truth float64
	// weight is how many requests it stands for, 0 is one.
	weight int64
	// withdrawn is when the label is withdrawn, corrected when it turns into the
	// other class; zero never.
	withdrawn, corrected time.Time
}

// world is a binary model whose labels take the longer the greater its feature
// lead is.
func world(r *rand.Rand, n int, from, to time.Time) []prediction {
	all := make([]prediction, n)
	for i := range all {
		p := prediction{id: fmt.Sprint(i), deploy: []string{"v1", "v2"}[r.IntN(2)], score: r.Float64(), lead: float64(r.IntN(40))}
		p.at = from.Add(time.Duration(r.Int64N(int64(to.Sub(from)))))
		p.predicted, p.label = "no", "no"
		if p.score > 0.5 {
			p.predicted = "yes"
		}
		if r.Float64() < p.score {
			p.label = "yes"
		}
		if r.IntN(10) > 0 {
			p.known = p.at.Add(time.Duration((p.lead + r.Float64()) * float64(time.Hour)))
			switch r.IntN(20) {
			case 0:
				p.withdrawn = p.known.Add(time.Duration(r.IntN(300)) * time.Minute)
			case 1:
				p.corrected = p.known.Add(time.Duration(r.IntN(300)) * time.Minute)
			}
		}
		all[i] = p
	}
	return all
}

// loss is how far a regression was off, by its first label or by the corrected one.
func (p prediction) loss(corrected bool) float64 {
	if corrected {
		return math.Abs(p.correctedTruth() - p.score)
	}
	return math.Abs(p.truth - p.score)
}

func (p prediction) correctedTruth() float64 { return 1.3*p.truth + 1 }

// regression makes numbers of what a binary model said.
func regression(all []prediction) []prediction {
	for i, p := range all {
		p.predicted, p.label = "", ""
		p.score *= 200
		p.truth = p.score * (0.8 + float64(i%11)/20)
		all[i] = p
	}
	return all
}

// requests are those that the prediction stands for.
func (p prediction) requests() int64 { return max(p.weight, 1) }

// sampled gives predictions weights, by what the producer does: all of the doubtful
// ones are sent, and few of the others.
func sampled(all []prediction) []prediction {
	for i := range all {
		all[i].weight = 2
		if all[i].score < 0.25 || all[i].score > 0.75 {
			all[i].weight = int64(5 + i%7)
		}
	}
	return all
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

func right(predicted, label string) int {
	if predicted == label && predicted != "" {
		return 1
	}
	return 0
}

// store writes what ingest and the join would have known by an instant.
func store(t *testing.T, db *storage.DB, model plumbline.Model, all []prediction, by time.Time) {
	t.Helper()
	var asked, heard []map[string]any
	for i, p := range all {
		if !p.at.Before(by) {
			continue
		}
		row := map[string]any{"model": model, "deploy_hash": p.deploy, "stage": "production", "prediction_id": p.id, "ts": p.at.UnixMilli(), "known": p.at.UnixMilli(),
			"numbers": map[string]float64{"lead": p.lead, "noise": float64(i % 7)}, "categories": map[string]string{"weekday": p.at.Weekday().String()},
			"score": p.score, "predicted": p.predicted, "weight": p.requests(), "_topic": "predictions", "_offset": i}
		if p.predicted == "" {
			row["score"], row["predicted_value"] = nil, p.score
		}
		asked = append(asked, row)
		if i%50 == 0 { // delivered twice
			twice := map[string]any{}
			for k, v := range row {
				twice[k] = v
			}
			twice["known"], twice["_offset"] = p.at.Add(time.Second).UnixMilli(), i+1_000_000
			asked = append(asked, twice)
		}
		// A number that nobody said yet, or does not say any more, is nil.
		change := func(at time.Time, label string, labelled, correct int, former, truth any) {
			if !at.IsZero() && at.Before(by) && (labelled != 0 || correct != 0 || p.predicted == "") {
				outcome := map[string]any{"model": model, "deploy_hash": p.deploy, "stage": "production", "prediction_id": p.id, "ts": p.at.UnixMilli(),
					"known": at.UnixMilli(), "label_offset": len(heard), "predicted": p.predicted, "label": label, "score": p.score, "labelled": labelled, "correct": correct, "requests": p.requests(), "version": 1}
				if p.predicted == "" {
					outcome["score"], outcome["predicted_value"], outcome["former_value"], outcome["truth_value"] = nil, p.score, former, truth
					outcome["held"], outcome["holds"], outcome["label_value"] = former != nil, truth != nil, truth
				}
				heard = append(heard, outcome)
			}
		}
		good := right(p.predicted, p.label)
		change(p.known, p.label, 1, good, nil, p.truth)
		change(p.withdrawn, "", -1, -good, p.truth, nil)
		other := map[string]string{"yes": "no", "no": "yes"}[p.label]
		change(p.corrected, other, 0, right(p.predicted, other)-good, p.truth, p.correctedTruth())
	}
	insert(t, db, "predictions", asked)
	insert(t, db, "outcomes", heard)
	for _, statement := range []string{
		"TRUNCATE TABLE series_hour", "TRUNCATE TABLE categories_hour",
		`INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows)
			SELECT model, deploy_hash, stage, '', 'requests', '', toStartOfHour(ts), toUInt64(sum(weight)), count() FROM predictions GROUP BY model, deploy_hash, stage, toStartOfHour(ts)`,
		`INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count)
			SELECT model, deploy_hash, stage, '', 'predicted', toStartOfHour(ts), predicted, 0, count() FROM predictions WHERE predicted != '' GROUP BY model, deploy_hash, stage, toStartOfHour(ts), predicted`,
		`INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, squares, version)
			SELECT model, deploy_hash, stage, '', toStartOfMinute(ts), toStartOfHour(known), sum(labelled * toInt64(requests)), sum(correct * toInt64(requests)),
				sum(labelled), sum(toInt128(labelled) * requests * requests), sum(version)
			FROM outcomes FINAL GROUP BY model, deploy_hash, stage, toStartOfMinute(ts), toStartOfHour(known)`,
	} {
		if err := db.Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// roll counts everything and returns how many hours that took.
func roll(t *testing.T, db *storage.DB, s history.Scope) (hours, known int) {
	t.Helper()
	r := history.Roller{Conn: db.Conn(), To: db.Conn(), Hours: 50}
	for range 100 {
		p, err := r.Roll(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		hours, known = hours+p.Hours, known+p.Known
		if !p.More {
			return hours, known
		}
	}
	t.Fatal("there is always more to count")
	return 0, 0
}
