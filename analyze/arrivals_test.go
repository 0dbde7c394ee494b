package analyze

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/storage"
)

// What the windows say together, the shortest first: one outage is one time of
// blindness, however its share hovers, and it is over once labels surely come.
func TestBlindnessBeginsAndEndsOnce(t *testing.T) {
	window := func(verdict string, low float64) history.Arrival {
		return history.Arrival{Verdict: verdict, Low: low, Says: "said"}
	}
	breach, sure, hover := window(plumbline.VerdictBreach, 0), window(plumbline.VerdictOK, 0.5), window(plumbline.VerdictOK, 0.49)
	few, none := window(plumbline.VerdictInsufficient, math.NaN()), window(plumbline.VerdictMissing, math.NaN())
	heard := now.Add(-3 * time.Hour)
	for _, tt := range []struct {
		name    string
		was     bool
		windows []history.Arrival
		value   float64
		verdict string
	}{
		{"labels come", false, []history.Arrival{sure, sure, sure}, 0, plumbline.VerdictOK},
		{"labels stay away", false, []history.Arrival{breach, breach, sure}, 1, plumbline.VerdictBreach},
		{"only the night speaks", false, []history.Arrival{few, few, breach}, 1, plumbline.VerdictBreach},
		{"a share that hovers", false, []history.Arrival{hover, hover}, 0, plumbline.VerdictOK},
		{"a share that hovers is surely too low over longer", false, []history.Arrival{hover, breach}, 1, plumbline.VerdictBreach},
		{"nothing speaks", false, []history.Arrival{none, few, few}, math.NaN(), plumbline.VerdictInsufficient},
		{"nothing ever came", false, []history.Arrival{none, none}, math.NaN(), plumbline.VerdictMissing},
		{"one that speaks is enough", false, []history.Arrival{few, hover, few}, 0, plumbline.VerdictOK},
		{"blind, and labels are back", true, []history.Arrival{sure, breach, breach}, 0, plumbline.VerdictOK},
		{"blind, and it hovers", true, []history.Arrival{hover, hover}, 1, plumbline.VerdictBreach},
		{"blind, and nothing speaks", true, []history.Arrival{few, few}, 1, plumbline.VerdictBreach},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := sight{least: 0.5}
			for _, j := range tt.windows {
				s.look(j)
			}
			f := newFinding(plumbline.SignalLabelArrival, plumbline.MeasureBlind)
			s.tell(&f, tt.was, heard)
			if f.Value != tt.value && !(math.IsNaN(f.Value) && math.IsNaN(tt.value)) || f.Verdict != tt.verdict || f.Assumes == "" {
				t.Errorf("%v %s %q, want %v %s", f.Value, f.Verdict, f.Assumes, tt.value, tt.verdict)
			}
			if blind := f.Value == 1; blind != f.WindowEnd.Equal(heard) {
				t.Errorf("the window ends at %v", f.WindowEnd)
			}
		})
	}
}

// A process that starts during an outage whose share hovers about the least goes
// on with it, and one that starts afterwards does not.
func TestBlindnessOutlivesTheProcess(t *testing.T) {
	db := startDB(t)
	all := lateWorld(rand.New(rand.NewPCG(73, 73)), now.Add(-7*day), now, 20)
	storeLate(t, db, "m", all, now)
	for _, tt := range []struct {
		at    time.Duration
		value float64
		want  bool
	}{{-2 * day, 1, false}, {-2 * time.Hour, 1, true}, {-time.Hour, 0, false}, {-time.Minute, math.NaN(), false}} {
		sayBlind(t, db, now.Add(tt.at), tt.value)
		l := newArrivals(DefaultConfig(), db.Conn())
		was, _, err := l.wasBlind(t.Context(), "m", now)
		if err != nil || was != tt.want {
			t.Errorf("after %v at %s: blind %t, %v", tt.value, tt.at, was, err)
		}
	}
	sayBlind(t, db, now, 1)
	// Labels surely come, so that what was is over.
	if f := pick(t, arrival(t, newRunner(t, db), "m", now), plumbline.SignalLabelArrival, plumbline.MeasureBlind, 0, ""); f.Value != 0 || f.Verdict != plumbline.VerdictOK {
		t.Errorf("labels come, and the model is %+v", f)
	}
}

// sayBlind stores what a process told of the model m.
func sayBlind(t *testing.T, db *storage.DB, at time.Time, value float64) {
	t.Helper()
	f := newFinding(plumbline.SignalLabelArrival, plumbline.MeasureBlind)
	f.At, f.Model, f.Stage, f.Value, f.Verdict = at, "m", plumbline.StageProduction, value, plumbline.VerdictBreach
	rec := record([]Finding{f})
	defer rec.Release()
	if err := db.Derived().Insert(t.Context(), plumbline.TableFindings, at.String(), rec); err != nil {
		t.Fatal(err)
	}
}

// Of two replicas one that was not blind goes on from what the other told later,
// and says the same of a share that hovers about the least, either way.
func TestReplicasAgreeOnBlindness(t *testing.T) {
	db := startDB(t)
	// All of the last windows hovers: every second label stays away.
	all := lateWorld(rand.New(rand.NewPCG(75, 75)), now.Add(-7*day), now, 20)
	for i := range all {
		if i%2 == 0 && all[i].known.After(now.Add(-30*time.Hour)) {
			all[i].known = now.Add(day)
		}
	}
	storeLate(t, db, "m", all, now)
	one, other := newRunner(t, db), newRunner(t, db)
	look := func(r *Runner, after time.Duration) float64 {
		at := now.Add(after)
		f := pick(t, arrival(t, r, "m", at), plumbline.SignalLabelArrival, plumbline.MeasureBlind, 0, "")
		sayBlind(t, db, at, f.Value)
		return f.Value
	}
	if a, b := look(one, 0), look(other, time.Second); a != 0 || b != 0 {
		t.Fatalf("a share that hovers says %v and %v, want it to be no breach", a, b)
	}
	// A third one saw the share below the least, and told.
	sayBlind(t, db, now.Add(2*time.Minute), 1)
	for i := range 3 {
		after := time.Duration(3+2*i) * time.Minute
		if a, b := look(one, after), look(other, after+time.Minute); a != 1 || b != 1 {
			t.Errorf("after %s one says %v and the other %v, want both blind", after, a, b)
		}
	}
	// It saw surely enough of them come, and told.
	sayBlind(t, db, now.Add(10*time.Minute), 0)
	if a, b := look(one, 11*time.Minute), look(other, 12*time.Minute); a != 0 || b != 0 {
		t.Errorf("once labels came one says %v and the other %v", a, b)
	}
}

// Labels that stay away are told of after a while, and not while a backlog of them
// is worked off.
func TestBlindnessWaitsForWhatIsCaughtUpWith(t *testing.T) {
	db := startDB(t)
	died := now.Truncate(time.Hour).Add(-5 * time.Hour)
	all := lateWorld(rand.New(rand.NewPCG(74, 74)), now.Add(-7*day), now, 20)
	for i := range all {
		if !all[i].known.Before(died) {
			all[i].known = now.Add(day)
		}
	}
	storeLate(t, db, "m", all, now)
	r := newRunner(t, db)
	for _, tt := range []struct {
		after  time.Duration
		joined int // labels of hours before that come in since the last look
		told   bool
	}{{0, 0, false}, {5 * time.Minute, 20, false}, {10 * time.Minute, 20, false}, {15 * time.Minute, 0, false}, {19 * time.Minute, 0, false}, {20 * time.Minute, 0, true}, {25 * time.Minute, 20, true}} {
		at := now.Add(tt.after)
		if tt.joined > 0 {
			insert(t, db, "outcome_cells", []map[string]any{{"model": "m", "deploy_hash": "v1", "stage": "production", "segment": "", "time": at.Add(-30 * time.Hour).Truncate(time.Minute).Unix(),
				"known": now.Add(-20 * time.Hour).Truncate(time.Hour).Unix(), "labelled": tt.joined, "correct": tt.joined, "rows": tt.joined, "version": 9}})
		}
		f := pick(t, arrival(t, r, "m", at), plumbline.SignalLabelArrival, plumbline.MeasureBlind, 0, "")
		if told := f.Value == 1; told != tt.told || !told && (!math.IsNaN(f.Value) || f.Verdict != plumbline.VerdictInsufficient) {
			t.Errorf("after %s: %+v, want it told: %t", tt.after, f, tt.told)
		}
	}
}
