package analyze

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// answers is a world of six weeks with a training set: hourly rollups of a
// feature, a score and a class, for all traffic and a segment of it. mean and
// share say what an hour is like.
type answers struct {
	t      *testing.T
	random *rand.Rand
	series []map[string]any
	texts  []map[string]any
}

// hour adds an hour of n requests.
func (w *answers) hour(deploy, stage, segment string, at time.Time, n int, mean, share float64) {
	row := func(series plumbline.Series, version grid.Version, buckets map[int32]uint64) {
		sorted, counts := slices.AppendSeq([]int32{}, maps.Keys(buckets)), []uint64{}
		slices.Sort(sorted)
		for _, b := range sorted {
			counts = append(counts, buckets[b])
		}
		w.series = append(w.series, map[string]any{"model": "m", "deploy_hash": deploy, "stage": stage, "segment": segment, "series": series,
			"grid": version, "time": at.Truncate(time.Hour).Unix(), "count": n, "hist": []any{sorted, counts}})
	}
	feature, score, yes := map[int32]uint64{}, map[int32]uint64{}, 0
	for range n {
		feature[grid.Bucket(mean+w.random.NormFloat64())]++
		p := 1 / (1 + math.Exp(-(mean - 10 + w.random.NormFloat64())))
		score[grid.OddsBucket(p)]++
		if w.random.Float64() < share {
			yes++
		}
	}
	row(plumbline.SeriesRequests, "", nil)
	row(plumbline.Feature("amount").Series(), grid.Full, feature)
	row(plumbline.SeriesScore, grid.FullOdds, score)
	for class, count := range map[string]int{"yes": yes, "no": n - yes} {
		w.texts = append(w.texts, map[string]any{"model": "m", "deploy_hash": deploy, "stage": stage, "segment": segment, "series": plumbline.SeriesClass,
			"value": class, "kind": 0, "time": at.Truncate(time.Hour).Unix(), "count": count})
	}
}

// store adds the training set and hours before now, as of says.
func (w *answers) store(db *storage.DB, length, every time.Duration, of func(at time.Time) (mean, share float64)) {
	w.hour("v1", "training", "", now.Add(-100*day), 20_000, 10, .3)
	for at := now.Add(-length).Truncate(time.Hour); at.Before(now); at = at.Add(every) {
		mean, share := of(at)
		w.hour("v1", "production", "", at, 60*int(every/time.Hour), mean, share)
	}
	insert(w.t, db, "series_hour", w.series)
	insert(w.t, db, "categories_hour", w.texts)
}

func TestDriftAgainstSeveralReferences(t *testing.T) {
	db := startDB(t)
	w := &answers{t: t, random: rand.New(rand.NewPCG(31, 31))}
	// Since a day all is otherwise.
	w.store(db, 29*day, 4*time.Hour, func(at time.Time) (float64, float64) {
		if at.After(now.Add(-day)) {
			return 12, .6
		}
		return 10, .3
	})
	w.series, w.texts = nil, nil
	for at := now.Add(-day).Truncate(time.Hour); at.Before(now); at = at.Add(time.Hour) {
		w.hour("v1", "production", "region=eu", at, 20, 12, .3)
	}
	insert(t, db, "series_hour", w.series)
	insert(t, db, "categories_hour", w.texts)
	r := newRunner(t, db)
	findings, err := r.Step(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ signal, feature, segment, reference, measure, verdict string }
	got := map[row]Finding{}
	for _, f := range findings {
		if f.Signal == plumbline.SignalDrift || f.Signal == plumbline.SignalPredictionDrift {
			got[row{string(f.Signal), string(f.Feature), string(f.Segment), f.Reference, f.Measure, f.Verdict}] = f
		}
	}
	for _, want := range []row{
		{"drift", "amount", "", "training", "psi", "breach"},
		{"drift", "amount", "", "training", "wasserstein_normalised", "breach"},
		{"drift", "amount", "", "same-hours:4w", "psi", "breach"},
		{"prediction_drift", "score", "", "training", "psi", "breach"},
		{"prediction_drift", "score", "", "same-hours:4w", "ks", "breach"},
		{"prediction_drift", "predicted", "", "training", "tvd", "breach"},
		{"prediction_drift", "predicted", "", "same-hours:4w", "psi", "breach"},
		// The training set knows no segments, and the weeks before had none.
		{"drift", "", "region=eu", "training", "", "missing"},
		{"drift", "", "region=eu", "same-hours:4w", "", "missing"},
	} {
		if f, ok := got[want]; !ok {
			t.Errorf("no finding %+v", want)
		} else if want.verdict == "breach" && (f.P > 1e-6 || math.Abs(f.Effect-(f.Value-f.NullMean)) > 1e-12 || !(f.Low <= f.Value && f.Value <= f.High)) {
			t.Errorf("%+v is not told in full", f)
		}
	}
	for k := range got {
		if k.measure == "tvd" && k.feature == "amount" || strings.HasPrefix(k.measure, "wasserstein") && k.feature == "score" {
			t.Errorf("%+v was not asked for", k)
		}
	}
	if again, err := r.lookDrift(t.Context(), traffic{model: "m"}, now.Add(time.Second)); err != nil || len(again) != 0 {
		t.Errorf("drift is looked at again at once: %v, %v", again, err)
	}
}

// What a day of the week always is, is no breach, whatever the reference.
func TestTheWeekendIsNoDrift(t *testing.T) {
	db := startDB(t)
	w := &answers{t: t, random: rand.New(rand.NewPCG(32, 32))}
	w.store(db, 29*day, 4*time.Hour, func(at time.Time) (float64, float64) {
		if at.Weekday() == now.Weekday() || at.Weekday() == now.Add(-day).Weekday() {
			return 12, .6
		}
		return 10, .3
	})
	cfg := DefaultConfig()
	cfg.References = []string{"training", "same-hours:4w", "sliding:7d", "auto"}
	r, err := New(cfg, Dependencies{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	r.now = func() time.Time { return now }
	findings, err := r.Step(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	for _, f := range findings {
		if f.Signal != plumbline.SignalDrift && f.Signal != plumbline.SignalPredictionDrift {
			continue
		}
		seen[f.Reference]++
		if f.Verdict == plumbline.VerdictBreach {
			t.Errorf("in breach: %+v", f)
		}
		if f.Feature == "amount" && f.Reference == "training" && f.Measure == "psi" && f.Effect < .5 {
			t.Errorf("the weekend is not far from the training set: %+v", f)
		}
	}
	for _, reference := range cfg.References {
		if seen[reference] < 4 {
			t.Errorf("%d findings against %s", seen[reference], reference)
		}
	}
}

// Days that stray, each as a whole, make a day that strays no breach: what past
// days varied is in the noise, and the finding says so.
func TestDaysThatStrayAreNoBreach(t *testing.T) {
	db := startDB(t)
	w := &answers{t: t, random: rand.New(rand.NewPCG(34, 34))}
	level := map[time.Time]float64{}
	w.store(db, 29*day, 6*time.Hour, func(at time.Time) (float64, float64) {
		d := at.Truncate(day)
		if _, ok := level[d]; !ok {
			level[d] = 10 + .4*w.random.NormFloat64()
		}
		if at.After(now.Add(-26 * time.Hour)) {
			return 10.5, .3
		}
		return level[d], .3
	})
	r := newRunner(t, db)
	r.cfg.DriftInterval = 0
	look := func() (f Finding) {
		models, err := serving(t.Context(), db.Conn(), "m", now)
		if err != nil {
			t.Fatal(err)
		}
		findings, err := r.lookDrift(t.Context(), models[0], now)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range findings {
			if f.Measure == "wasserstein_normalised" && f.Reference == "training" {
				return f
			}
		}
		t.Fatal("no such finding")
		return f
	}
	before := look()
	models, err := serving(t.Context(), db.Conn(), "m", now)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		if _, err := r.alarms.look(t.Context(), models[0], now.Add(time.Duration(i)*time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	after := look()
	if before.Verdict != plumbline.VerdictBreach || after.Verdict == plumbline.VerdictBreach || after.P < .01 || after.Value != before.Value || !strings.Contains(after.Assumes, "times as much") {
		t.Errorf("before the days were known %+v, after %+v", before, after)
	}
}

// A ticket opens once a change has lasted, stays open, and is the same for a
// service that starts later; quiet weeks open none, though Sundays differ.
func TestAlarmOverClosedDays(t *testing.T) {
	db := startDB(t)
	w := &answers{t: t, random: rand.New(rand.NewPCG(33, 33))}
	for at := now.Add(-22 * day); at.Before(now); at = at.Add(12 * time.Hour) {
		w.hour("v1", "production", "region=eu", at, 120, 10, .3)
	}
	w.store(db, 22*day, 6*time.Hour, func(at time.Time) (float64, float64) {
		if at.After(now.Add(-5 * day)) {
			return 12, .3
		}
		if at.Weekday() == time.Sunday {
			return 10.6, .3
		}
		return 10, .3
	})
	served := traffic{model: "m", end: now, deploys: []deploy{{hash: "v1", stage: plumbline.StageProduction, first: now.Add(-22 * day), last: now.Truncate(time.Hour)}}}
	newAlarms := func() *alarms { return newRunner(t, db).alarms }
	catchUp := func(a *alarms, end time.Time) []Finding {
		then := served
		then.end = end
		for i := range 40 {
			findings, err := a.look(t.Context(), then, end.Add(time.Duration(i)*time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			if len(findings) > 0 && !strings.Contains(findings[0].Assumes, asBefore) {
				return findings
			}
		}
		t.Fatal("the alarm does not catch up")
		return nil
	}
	running := newAlarms()
	quiet := catchUp(running, now.Add(-6*day))
	if got := inBreach(quiet); got != "" || len(quiet) < 8 {
		t.Errorf("in quiet weeks: %s of %d", got, len(quiet))
	}
	later := catchUp(running, now)
	if got := inBreach(later); !strings.Contains(got, "amount psi") || !strings.Contains(got, "score psi") || strings.Contains(got, "predicted") {
		t.Errorf("tickets %q, want the feature and the score", got)
	}
	eu := find(later, func(f Finding) bool { return f.Segment == "region=eu" })
	checkTickets(t, later)
	if len(eu) == 0 || inBreach(eu) != "" {
		t.Errorf("of the segment, which is as it was: %+v", eu)
	}
	// A day that comes in late is looked at again.
	w.series, w.texts = nil, nil
	w.hour("v1", "production", "", now.Add(-10*day), 600, 10, .3)
	insert(t, db, "series_hour", w.series)
	insert(t, db, "categories_hour", w.texts)
	// Until then, and while days cannot be read, stands what was decided last.
	stands := func(findings []Finding) {
		t.Helper()
		if len(findings) != len(later) || inBreach(findings) != inBreach(later) {
			t.Errorf("%d findings, in breach %q, not the %d decided last with %q", len(findings), inBreach(findings), len(later), inBreach(later))
		}
		for _, f := range findings {
			if !strings.Contains(f.Assumes, asBefore+now.Truncate(day).Format(time.DateOnly)) {
				t.Errorf("not told to be decided before: %+v", f)
			}
		}
	}
	ended, end := context.WithCancel(t.Context())
	end()
	findings, err := running.look(ended, served, now.Add(50*time.Hour))
	if stands(findings); err == nil {
		t.Error("read in a context that had ended")
	}
	if findings, err = running.look(t.Context(), served, now.Add(60*time.Hour)); err != nil {
		t.Fatal(err)
	}
	stands(findings)
	if findings, err = running.look(t.Context(), served, now.Add(60*time.Hour+time.Second)); err != nil || len(findings) > 0 {
		t.Errorf("told again at once: %d findings, %v", len(findings), err)
	}
	later = catchUp(running, now)
	again := catchUp(newAlarms(), now)
	if len(again) != len(later) {
		t.Fatalf("%d streams after a restart, %d without", len(again), len(later))
	}
	for i, f := range again {
		if f.Verdict != later[i].Verdict || f.Feature != later[i].Feature || f.Assumes != later[i].Assumes || !(f.Value == later[i].Value || math.IsNaN(f.Value)) {
			t.Errorf("a restart says %+v, not %+v", f, later[i])
		}
		if f.Verdict == plumbline.VerdictBreach && f.Measure != plumbline.MeasureTickets && (f.Value < 1 || !strings.Contains(f.Assumes, "open since the day that ended") || !strings.Contains(f.Assumes, "adjusted p")) {
			t.Errorf("a ticket is not told in full: %+v", f)
		}
	}
	if got := lastSeen(t, running.models["m"], running); !strings.Contains(got, "last seen on the day that ended") || !strings.Contains(got, "open since") {
		t.Errorf("the ticket of a stream that was not seen on the last day: %q", got)
	}
	// A model that no longer serves is dropped.
	other := served
	other.model = "other"
	if _, err := running.look(t.Context(), other, now.Add(100*time.Hour)); err != nil || running.models["m"] != nil || running.models["other"] == nil {
		t.Errorf("models %v, %v", slices.Collect(maps.Keys(running.models)), err)
	}
}

// checkTickets: what a rule needs is one row of each segment, which names what
// has a ticket.
func checkTickets(t *testing.T, findings []Finding) {
	t.Helper()
	rows := find(findings, func(f Finding) bool { return f.Measure == plumbline.MeasureTickets })
	streams := map[plumbline.Segment]int{}
	for _, f := range findings {
		if f.Measure != plumbline.MeasureTickets && f.Verdict == plumbline.VerdictBreach {
			streams[f.Segment]++
		}
	}
	if len(rows) != 2 {
		t.Fatalf("%d segments: %+v", len(rows), rows)
	}
	for _, f := range rows {
		if f.Value != float64(streams[f.Segment]) || f.Model != "m" || f.Deploy != "v1" || f.Feature != "" || f.Count < 4 || f.WindowEnd.IsZero() {
			t.Errorf("%+v, want %d tickets", f, streams[f.Segment])
		}
		if all := f.Segment == ""; all != (f.Verdict == plumbline.VerdictBreach) || all != strings.Contains(f.Assumes, "amount by psi against training since 2026-05-") {
			t.Errorf("%+v", f)
		}
	}
}

// asBefore is how findings begin to say that they were decided before.
const asBefore = "as decided for the day that ended "

// lastSeen takes the last day from a stream with a ticket and returns what is
// said of it then.
func lastSeen(t *testing.T, d *days, a *alarms) string {
	t.Helper()
	s := stream{series: plumbline.Feature("amount").Series(), reference: "training", measure: "psi"}
	w, ok := d.streams[s]
	if !ok {
		t.Fatal("no such stream")
	}
	w.end = w.end.Add(-day)
	d.streams[s] = w
	for _, f := range a.decide("m", d) {
		if f.Feature == "amount" && f.Reference == "training" && f.Measure == "psi" && f.Segment == "" && f.Verdict == plumbline.VerdictBreach {
			return f.Assumes
		}
	}
	return ""
}

// Days that were compared with another training set are compared anew, also
// while others are caught up with.
func TestAlarmOfAnotherTrainingSet(t *testing.T) {
	db := startDB(t)
	w := &answers{t: t, random: rand.New(rand.NewPCG(35, 35))}
	w.store(db, 20*day, 12*time.Hour, func(time.Time) (float64, float64) { return 10, .3 })
	served := traffic{model: "m", end: now, deploys: []deploy{{hash: "v1", stage: plumbline.StageProduction, first: now.Add(-20 * day), last: now.Truncate(time.Hour)}}}
	a := newRunner(t, db).alarms
	look := func() *days {
		if _, err := a.look(t.Context(), served, now); err != nil {
			t.Fatal(err)
		}
		return a.models["m"]
	}
	first := served.deploys[0].first.Truncate(day)
	if d := look(); !d.next.Equal(first.Add(4*day)) || d.requests[time.Time{}] != 20_000 {
		t.Fatalf("caught up to %s with a training set of %d", d.next, d.requests[time.Time{}])
	}
	w.series, w.texts = nil, nil
	w.hour("v1", "training", "", now.Add(-101*day), 5_000, 14, .3)
	insert(t, db, "series_hour", w.series)
	insert(t, db, "categories_hour", w.texts)
	a.drift.asker.Forget("m") // it no longer remembers the old set
	d := look()               // one day notices, three are taken
	if !d.next.Equal(first.Add(3*day)) || d.requests[time.Time{}] != 25_000 {
		t.Errorf("caught up to %s with a training set of %d", d.next, d.requests[time.Time{}])
	}
	for s, w := range d.streams {
		if w.Learnt > 3 || s.reference == "training" && w.Learnt != 3 {
			t.Errorf("%d days of %v", w.Learnt, s)
		}
	}
}
