package analyze

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/measure"
	"github.com/plumbline-slo/plumbline/storage"
)

// stopping stores, and says of every third record that it could not: who asked
// is stopped between the two.
type stopping struct {
	inserter
	asked int
}

var errStopped = errors.New("stopped")

func (s *stopping) Insert(ctx context.Context, table plumbline.TableName, token string, rec arrow.Record) error {
	if err := s.inserter.Insert(ctx, table, token, rec); err != nil {
		return err
	}
	if s.asked++; s.asked%3 == 0 {
		return errStopped
	}
	return nil
}

// knownDays returns what is stored of the days, but for when it was.
func knownDays(t *testing.T, db *storage.DB) []string {
	t.Helper()
	rows, err := db.Conn().Query(t.Context(), `SELECT toString((end, segment, series, reference, measure, settings, events, value, null_mean, p, evidence, threshold, status, assumes, state))
FROM drift_days FINAL ORDER BY end, segment, series, reference, measure`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A service that is stopped after every look, and between storing a day and
// knowing of it, stores the same rows and says the same as one that never is.
func TestAlarmGoesOnWhereItStopped(t *testing.T) {
	served := traffic{model: "m", end: now, deploys: []deploy{{hash: "v1", stage: plumbline.StageProduction, first: now.Add(-16 * day), last: now.Truncate(time.Hour)}}}
	world := func() *storage.DB {
		db := startDB(t)
		w := &answers{t: t, random: rand.New(rand.NewPCG(36, 36))}
		w.store(db, 16*day, 8*time.Hour, func(at time.Time) (float64, float64) {
			if at.After(now.Add(-4 * day)) {
				return 12, .3
			}
			return 10, .3
		})
		return db
	}
	// decided looks until everything is decided; each look may be another runner's.
	decided := func(next func() *alarms) []Finding {
		for i := range 60 {
			findings, err := next().look(t.Context(), served, now.Add(time.Duration(i)*time.Hour))
			if err != nil && !errors.Is(err, errStopped) {
				t.Fatal(err)
			}
			if len(findings) > 0 && !strings.Contains(findings[0].Assumes, asBefore) {
				return findings
			}
		}
		t.Fatal("nothing is decided")
		return nil
	}
	whole := world()
	running := newRunner(t, whole).alarms
	want := decided(func() *alarms { return running })
	broken := world()
	store := &stopping{inserter: broken.Derived()}
	looks := 0
	var last *alarms
	got := decided(func() *alarms {
		// Once it has caught up, one that just starts settles first: it is looked
		// at twice.
		if looks++; last == nil || len(last.models) == 0 || !last.models["m"].settled {
			last = newRunner(t, broken).alarms
			last.store = store
		}
		return last
	})
	if looks < 5 || store.asked < 16 {
		t.Fatalf("%d looks, %d days stored: it was not stopped", looks, store.asked)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) || inBreach(got) == "" {
		t.Errorf("after every stop %+v\nnever stopped %+v", got, want)
	}
	one, other := knownDays(t, whole), knownDays(t, broken)
	if len(one) != len(other) || len(one) < 16*8 {
		t.Fatalf("%d rows never stopped, %d stopped", len(one), len(other))
	}
	for i := range one {
		if one[i] != other[i] {
			t.Fatalf("never stopped %s\nstopped %s", one[i], other[i])
		}
	}
	// What is known in memory is what is stored.
	if a, b := fmt.Sprint(running.models["m"].streams), fmt.Sprint(last.models["m"].streams); a != b {
		t.Errorf("knows %s\nnot %s", b, a)
	}
	// One that starts knows at once how past days varied.
	starts := newRunner(t, whole).alarms
	if _, err := starts.look(t.Context(), served, now); err != nil || fmt.Sprint(starts.models["m"].dispersion) != fmt.Sprint(running.models["m"].dispersion) || len(starts.models["m"].dispersion) < 8 {
		t.Errorf("%v: knows %v, want %v", err, starts.models["m"].dispersion, running.models["m"].dispersion)
	}
	// A service with other settings computes everything anew.
	other2 := newRunner(t, whole).alarms
	other2.cfg.Alarm.Budget = 2
	if chain, err := other2.chain(t.Context(), "m", now.Add(-40*day), now); err != nil || len(chain) != 0 {
		t.Errorf("goes on from %d days of other settings, %v", len(chain), err)
	}
}

// far is a day that lies as far from the reference as a distance.
func far(end time.Time, distance float64) alarm.Block {
	r := measure.Result{Measure: measure.PSI, Value: distance, NullMean: .005, Debiased: distance - .005, MinEffect: .1, Method: measure.Asymptotic}
	return alarm.Block{End: end, Reference: "training", Events: 4000, Freedom: 19, Result: r}
}

// A ticket that is open for longer than the history is closed, and what it said
// is learnt; a change from there is another ticket.
func TestTicketsAreClosedAfterTheHistory(t *testing.T) {
	c := AlarmConfig{Budget: 1, History: 30 * day, Learn: 7 * day}
	cfg := alarm.DefaultConfig()
	var w watched
	var opened, closed []int
	at := func(i int) time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * day) }
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 150 {
		distance := .006
		switch {
		case i >= 120:
			distance = 60
		case i >= 20:
			distance = 1
		}
		before := w.Detector.Open
		var err error
		if w, err = w.step(c, cfg, far(at(i), distance*(1+.05*r.Float64()))); err != nil {
			t.Fatal(err)
		}
		switch {
		case w.Detector.Open && !before:
			opened = append(opened, i)
		case before && !w.Detector.Open:
			closed = append(closed, i)
			if !strings.Contains(w.verdict.Assumption, "is closed after 30 days: what it said has become the usual") || w.verdict.Status != learnt || w.verdict.Ticket {
				t.Errorf("closed by %+v", w.verdict)
			}
		}
		if len(w.quiet) > 30 {
			t.Fatalf("%d quiet days of 30", len(w.quiet))
		}
	}
	if len(opened) != 2 || opened[0] < 20 || opened[0] > 30 || opened[1] < 120 || len(closed) != 1 || closed[0] != opened[0]+31 {
		t.Errorf("opened on days %v, closed on %v", opened, closed)
	}
	if math.IsNaN(w.verdict.P) {
		t.Errorf("the last day has no p: %+v", w.verdict)
	}
}
