package count

import (
	"fmt"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// TestReplayIsWhatLiveEvaluationDid evaluates a fault minute by minute as a service
// would, each on what had come in, some of it late, and then replays it.
func TestReplayIsWhatLiveEvaluationDid(t *testing.T) {
	db := startDB(t)
	all := []plumbline.Objective{
		objective("success", plumbline.SLI{Kind: plumbline.SLISuccess}, nil),
		objective("slices", plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) {
			s.Budgeting, s.SliceWindow, s.SliceTarget, s.Target = plumbline.Timeslices, 5*time.Minute, 0.95, 0.9
		}),
		objective("tens", plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) {
			s.Budgeting, s.SliceWindow, s.Target = plumbline.RatioTimeslices, 10*time.Minute, 0.9
		}),
	}
	all[1].Pairs[0].Noise, all[2].Pairs[0].Noise = 0, 0
	liveAndReplayed(t, db, all, true)
}

// TestStatementsAreReplayed does the same with counts by statements of users, of
// which no more is known than the minute.
func TestStatementsAreReplayed(t *testing.T) {
	db := startDB(t)
	sli := plumbline.SLI{Kind: plumbline.SLISQL, Query: `SELECT ts AS time, deploy_hash, toUInt64(status = 'ok') AS good, 1 AS total
FROM predictions WHERE stage = 'production' AND ts >= {from:DateTime} AND ts < {to:DateTime}`}
	// Two targets on one indicator, which is counted once.
	liveAndReplayed(t, db, []plumbline.Objective{objective("sql", sli, nil), objective("looser", sli, func(s *plumbline.SLO) { s.Target -= 0.01 })}, false)
}

// liveAndReplayed evaluates a fault of some minutes as it comes in, if late a tenth
// of it three minutes later, and holds the replay to what it saw.
func liveAndReplayed(t *testing.T, db *storage.DB, all []plumbline.Objective, late bool) {
	t.Helper()
	cfg := DefaultConfig()
	cfg.Back = time.Hour // or it would catch up with the week before, two hours a step
	counter := New(cfg, db, db.Conn(), nil)
	var live []string
	say := func(c Change) string {
		return fmt.Sprint(c.At.Sub(origin), c.SLO, c.Deploy, c.Severity, c.Fires, c.Counted.Long, c.Counted.Short, c.Counted.Noise)
	}
	followed := newAlerts(func(c Change) { live = append(live, say(c)) })
	store := func(first int, minute time.Time, known time.Time, status string, n int) {
		exec(t, db, `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, status, weight, half, known, _topic, _epoch, _partition, _offset)
SELECT 'm', 'd', 'production', toString(%d + number), fromUnixTimestamp64Milli(%d + number * 100, 'UTC'), if(number %% 2 = 0, '%s', 'ok'), 1, '', fromUnixTimestamp64Milli(%d, 'UTC'), 't', 'e', 0, %d + number FROM numbers(%d)`,
			first, minute.UnixMilli(), status, known.UnixMilli(), first, n)
		exec(t, db, `INSERT INTO batches (topic, epoch, partition, first, last, table, rows, known_min, known_max, stored) VALUES ('t', 'e', 0, %d, %d, 'predictions', %d, '%s', '%s', '%s')`,
			first, first+n-1, n, stamp(known), stamp(known), stamp(known))
	}
	const minutes = 28
	for m := range minutes {
		at := origin.Add(time.Duration(m) * time.Minute)
		status := "ok"
		if m >= 6 && m < 13 {
			status = "timeout"
		}
		store(m*1000, at, at.Add(30*time.Second), status, 50)
		if late && m >= 3 {
			// A tenth as many come three minutes late.
			was := "ok"
			if m-3 >= 6 && m-3 < 13 {
				was = "timeout"
			}
			store(m*1000+500, at.Add(-3*time.Minute), at.Add(45*time.Second), was, 5)
		}
		end := at.Add(time.Minute)
		count(t, counter, all, end)
		found, err := Reader{Conn: db.Conn()}.At(t.Context(), all, end)
		if err != nil {
			t.Fatal(err)
		}
		followed.take(end, found)
	}
	var replayed []string
	hours := 0
	err := New(DefaultConfig(), db, db.Conn(), nil).Replay(t.Context(), all, origin.Add(time.Minute), origin.Add(minutes*time.Minute),
		func(c Change) { replayed = append(replayed, say(c)) }, func(time.Time) { hours++ })
	if err != nil {
		t.Fatal(err)
	}
	if len(live) < 2*len(all) || hours != 0 {
		t.Errorf("%d changes, %d hours: %v", len(live), hours, live)
	}
	if !slices.Equal(live, replayed) {
		t.Errorf("live\n%v\nreplayed\n%v", live, replayed)
	}
}
