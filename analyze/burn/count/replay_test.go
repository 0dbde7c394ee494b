package count

import (
	"fmt"
	"slices"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
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
	counter := New(DefaultConfig(), db, nil, nil)
	var live []string
	say := func(c Change) string {
		return fmt.Sprint(c.At.Sub(origin), c.SLO, c.Deploy, c.Severity, c.Fires, c.Counted.Long, c.Counted.Short, c.Counted.Noise)
	}
	followed := newAlerts(func(c Change) { live = append(live, say(c)) })
	store := func(first int, minute time.Time, known time.Time, status string, n int) {
		exec(t, db, `INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, status, weight, half, known, _topic, _epoch, _partition, _offset)
SELECT 'm', 'd', 'production', toString(%d + number), fromUnixTimestamp64Milli(%d + number * 100, 'UTC'), if(number %% 2 = 0, '%s', 'ok'), 1, '', fromUnixTimestamp64Milli(%d, 'UTC'), 't', 'e', 0, %d + number FROM numbers(%d)`,
			first, minute.UnixMilli(), status, known.UnixMilli(), first, n)
		exec(t, db, `INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max, stored) VALUES ('t', 'e', 0, %d, %d, 'predictions', '%s', '%s', '%s')`,
			first, first+n-1, stamp(known), stamp(known), stamp(known))
	}
	const minutes = 28
	for m := range minutes {
		at := origin.Add(time.Duration(m) * time.Minute)
		status := "ok"
		if m >= 6 && m < 13 {
			status = "timeout"
		}
		store(m*1000, at, at.Add(30*time.Second), status, 50)
		if m >= 3 {
			// A tenth as many come three minutes late.
			late := "ok"
			if m-3 >= 6 && m-3 < 13 {
				late = "timeout"
			}
			store(m*1000+500, at.Add(-3*time.Minute), at.Add(45*time.Second), late, 5)
		}
		end := at.Add(time.Minute)
		if err := counter.Step(t.Context(), all, end); err != nil {
			t.Fatal(err)
		}
		found, err := Reader{Conn: db.Conn()}.At(t.Context(), all, end)
		if err != nil {
			t.Fatal(err)
		}
		followed.take(end, found)
	}
	var replayed []string
	hours := 0
	err := New(DefaultConfig(), db, nil, nil).Replay(t.Context(), all, origin.Add(time.Minute), origin.Add(minutes*time.Minute),
		func(c Change) { replayed = append(replayed, say(c)) }, func(time.Time) { hours++ })
	if err != nil {
		t.Fatal(err)
	}
	if len(live) < 4 || hours != 0 {
		t.Errorf("%d changes, %d hours: %v", len(live), hours, live)
	}
	if !slices.Equal(live, replayed) {
		t.Errorf("live\n%v\nreplayed\n%v", live, replayed)
	}
}
