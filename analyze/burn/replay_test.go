package burn

import (
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
)

// TestReplayIsWhatWasKnown holds every minute of a replay to the evaluation as
// known at that minute.
func TestReplayIsWhatWasKnown(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(31, 32))
	const n = 180
	var events []event
	for len(events) < 600 {
		events = append(events, randomEvents(random, n)...)
	}
	for i := range events {
		events[i].known = events[i].known.Truncate(time.Millisecond)
	}
	storeEvents(t, db, "d", events)
	storeEvents(t, db, "e", events[:1])
	o := plumbline.Objective{
		SLO:   plumbline.SLO{Name: "s", Model: "m", Target: .7, MinCoverage: .3},
		Pairs: []plumbline.WindowPair{pair(time.Hour, 5*time.Minute, 1.1)},
	}
	r := Reader{Conn: db.Conn(), MaxLag: 24 * time.Hour}
	from, to := origin.Add(time.Hour), origin.Add(3*time.Hour)
	holds := map[time.Time]bool{}
	changes, done := 0, 0.0
	err := r.Replay(t.Context(), o, nil, from, to, func(c Replayed) {
		if c.Deploy == "d" {
			holds[c.At] = c.Fires
			changes++
		}
	}, func(share float64) {
		if share < done {
			t.Errorf("%g of the replay are done after %g: progress begins anew with a deploy", share, done)
		}
		done = share
	})
	if err != nil {
		t.Fatal(err)
	}
	if done != 1 {
		t.Errorf("%g of the replay are done at its end", done)
	}
	if changes < 2 {
		t.Fatalf("%d changes: nothing is shown", changes)
	}
	now := false
	for at := from; !at.After(to); at = at.Add(time.Minute) {
		if v, ok := holds[at]; ok {
			now = v
		}
		if int(at.Sub(from)/time.Minute)%4 != 0 {
			continue
		}
		known, err := r.AsKnownAt(t.Context(), o, "d", at)
		if err != nil || known[0].Breach() != now {
			t.Fatalf("%s: replayed %v, as known then %+v, %v", at, now, known[0], err)
		}
	}
}
