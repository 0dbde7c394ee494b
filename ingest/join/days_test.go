package join

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// A monthly file of chargebacks has labels of predictions of many days: more than the
// 100 partitions that ClickHouse takes in one insert by default.
func TestOneStepJoinsLabelsOfManyDays(t *testing.T) {
	const days = 150
	db := startDB(t)
	w := newWorld(t, db)
	for i := range days {
		ts, id := start.AddDate(0, 0, -i), fmt.Sprint("id", i)
		w.append(row{model: "m", id: id, topic: "predictions", epoch: "e", ts: ts, known: ts, deploy: "a", stage: "production", class: "yes"})
		w.append(row{model: "m", id: id, topic: "labels", epoch: "e", ts: start, known: start.Add(time.Hour), class: "yes"})
	}
	for _, key := range w.pending() {
		for range days / 50 { // as ingest does, in several inserts
			w.store(key, 50, true)
		}
	}
	p, err := newJoin(t, db, 100_000).Step(t.Context())
	if err != nil || p.Predictions != days {
		t.Fatalf("%+v, %v", p, err)
	}
	var joined uint64
	if err := db.Conn().QueryRow(t.Context(), "SELECT uniqExact(toDate(ts)) FROM outcomes FINAL WHERE labelled = 1").Scan(&joined); err != nil || joined != days {
		t.Errorf("labels of %d days are joined, want %d: %v", joined, days, err)
	}
}

// The log says when the step is really repeated, and Failure what is wrong until a
// step succeeds.
func TestAFailureIsSaidWithItsPause(t *testing.T) {
	var out strings.Builder
	j := &Join{cfg: DefaultConfig(), log: slog.New(slog.NewTextHandler(&out, nil))}
	var err error
	if j.metrics, err = newMetrics(nil); err != nil {
		t.Fatal(err)
	}
	if pause := j.after(t.Context(), Progress{}, errKilled, time.Minute); pause != time.Minute || !strings.Contains(out.String(), "after=1m0s") {
		t.Errorf("a pause of %s, and the log says %q", pause, out.String())
	}
	if j.Failure() == nil {
		t.Error("the failure is not known")
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if j.after(ended, Progress{}, context.Canceled, 0); j.Failure() == nil || strings.Contains(j.Failure().Error(), "canceled") {
		t.Errorf("an end is no failure: %v", j.Failure())
	}
	for _, test := range []struct {
		progress Progress
		took     time.Duration
		want     time.Duration
	}{
		{Progress{More: true}, time.Minute, 0},
		{Progress{}, time.Minute, time.Minute},
		{Progress{}, 0, DefaultConfig().Interval},
	} {
		if pause := j.after(t.Context(), test.progress, nil, test.took); pause != test.want {
			t.Errorf("%+v: a pause of %s, want %s", test, pause, test.want)
		}
	}
	if j.Failure() != nil {
		t.Errorf("a step succeeded after %v", j.Failure())
	}
}
