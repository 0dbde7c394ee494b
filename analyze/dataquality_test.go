package analyze

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/dataquality"
)

// seriesRow and categoryRow are rollup rows of a feature.
func seriesRow(deploy, stage, feature string, at time.Time, n int) map[string]any {
	return map[string]any{"model": "m", "deploy_hash": deploy, "stage": stage, "series": "feature:" + feature, "grid": "f8",
		"time": at.Truncate(time.Hour).Unix(), "count": n}
}

func categoryRow(deploy, stage, feature, value string, kind int, at time.Time, n int) map[string]any {
	return map[string]any{"model": "m", "deploy_hash": deploy, "stage": stage, "series": "feature:" + feature, "value": value, "kind": kind,
		"time": at.Truncate(time.Hour).Unix(), "count": n}
}

func TestAFeatureThatChangesItsTypeIsReported(t *testing.T) {
	db := startDB(t)
	trained, before := now.Add(-300*day), now.Add(-3*day)
	insert(t, db, "series_hour", []map[string]any{
		seriesRow("v1", "training", "age", trained, 1000),      // a number, once a text now
		seriesRow("v1", "production", "distance", before, 500), // a number, all texts now
		seriesRow("v2", "production", "code", now, 30),         // a text, 30 of 40 numbers now
		seriesRow("v2", "production", "age", now, 99),
		seriesRow("v2", "production", "fresh", now, 7), // a new feature is no change
		seriesRow("v1", "production", "same", before, 10),
		seriesRow("v2", "production", "same", now, 10),
	})
	insert(t, db, "categories_hour", []map[string]any{
		categoryRow("v2", "production", "age", "n/a", 0, now, 1),
		categoryRow("v2", "production", "age", "", 1, now, 50), // nulls have no type
		categoryRow("v2", "production", "same", "", 1, now, 50),
		categoryRow("v2", "production", "distance", "12 miles", 0, now, 100),
		categoryRow("v1", "production", "code", "a", 0, before, 40),
		categoryRow("v2", "production", "code", "a", 0, now, 8),
		categoryRow("v2", "production", "code", "", 2, now, 2), // over the cap, texts still
	})
	to := now.Truncate(time.Hour).Add(time.Hour)
	changes, err := dataquality.Reader{Conn: db.Conn()}.TypeChanges(t.Context(), "m", to.Add(-day), to)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range changes {
		got[string(c.Deploy)+" "+string(c.Feature)] = fmt.Sprintf("%.2f of a number: %t", c.Share(), c.WasNumber)
	}
	want := map[string]string{"v2 age": "0.01 of a number: true", "v2 distance": "1.00 of a number: true", "v2 code": "0.75 of a number: false"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("changes %v, want %v", got, want)
	}
}

func TestRepeatedDeliveriesAreReported(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour).Add(-time.Hour)
	var raw []map[string]any
	for i := range 1000 {
		// Forty of a thousand come twice; the same id in the hour before is none.
		for range 1 + i%25/24 {
			raw = append(raw, map[string]any{"model": "m", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i),
				"ts": hour.Add(time.Duration(i) * time.Second).UnixMilli()})
		}
		raw = append(raw, map[string]any{"model": "m", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i), "ts": hour.Add(-time.Minute).UnixMilli()})
	}
	insert(t, db, "predictions", raw)
	served := traffic{model: "m", end: now, deploys: []deploy{{hash: "v1", stage: plumbline.StageProduction, first: hour, last: hour, requests: 1040}}}
	h := newDataQuality(dataquality.Reader{Conn: db.Conn()}, DefaultConfig())
	findings, err := h.lookRepeats(t.Context(), served, now)
	if err != nil || len(findings) != 1 {
		t.Fatalf("%d findings, %v; want 1", len(findings), err)
	}
	if f := findings[0]; f.Measure != plumbline.MeasureDuplicateShare || f.Count != 1040 || f.Value != 40./1040 || f.Verdict != plumbline.VerdictBreach || !f.WindowEnd.Equal(hour.Add(time.Hour)) {
		t.Errorf("finding %+v, want 40 of 1,040 repeated, a breach", f)
	}
	if again, err := h.lookRepeats(t.Context(), served, now.Add(5*time.Minute)); err != nil || len(again) != 0 {
		t.Errorf("the same hour is looked at twice: %v, %v", again, err)
	}
	sampled, err := h.reader.Repeats(t.Context(), "m", hour, 3*5_000_000)
	if err != nil || len(sampled) != 1 || sampled[0].Deliveries >= 600 || sampled[0].Deliveries < 100 {
		t.Errorf("a busy hour is not sampled by identifier: %+v, %v", sampled, err)
	}
}

// refusing refuses every query and counts them.
type refusing struct{ asked int }

func (r *refusing) Query(context.Context, string, ...any) (driver.Rows, error) {
	r.asked++
	return nil, errRefused
}

var errRefused = errors.New("refused")

// Repeats that could not be counted are not tried again before their interval,
// during which the error stands.
func TestRepeatsThatFailedWait(t *testing.T) {
	conn := &refusing{}
	cfg := DefaultConfig()
	h := newDataQuality(dataquality.Reader{Conn: conn}, cfg)
	served := traffic{model: "m", end: now, deploys: []deploy{{hash: "v1", stage: plumbline.StageProduction, first: now.Add(-day), last: now.Add(-time.Hour)}}}
	if _, err := h.lookRepeats(t.Context(), served, now); !errors.Is(err, errRefused) || conn.asked != 1 {
		t.Fatalf("the first look: %v after %d queries", err, conn.asked)
	}
	if _, err := h.lookRepeats(t.Context(), served, now.Add(cfg.DataQualityInterval-time.Second)); !errors.Is(err, errRefused) || conn.asked != 1 {
		t.Errorf("before the interval: %v after %d queries", err, conn.asked)
	}
	if _, err := h.lookRepeats(t.Context(), served, now.Add(cfg.DataQualityInterval)); !errors.Is(err, errRefused) || conn.asked != 2 {
		t.Errorf("after the interval: %v after %d queries", err, conn.asked)
	}
}
