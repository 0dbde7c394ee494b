package analyze

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/burn"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
)

// lateObjective asks for an accuracy of 0.9 of model m: beyond a bad share of 0.15
// over 6 h it pages.
func lateObjective() plumbline.Objective {
	return plumbline.Objective{
		SLO: plumbline.SLO{Name: "late", Model: "m", Measure: plumbline.MeasureAccuracy, Target: 0.9, Period: 28 * day, MinCoverage: 0.5},
		Pairs: []plumbline.WindowPair{
			{Severity: plumbline.SeverityPage, Long: 6 * time.Hour, Short: 30 * time.Minute, BudgetShare: 0.0134, Factor: 1.5, Noise: 1.9e-6},
			{Severity: plumbline.SeverityTicket, Long: day, Short: 2 * time.Hour, BudgetShare: 0.05, Factor: 1.4},
		},
	}
}

// sureUntil makes the model right nine times of ten until an instant, and what is
// asked after it anybody's guess: the scores say so, and labels, of which none comes
// within 20 hours, will too.
func sureUntil(r *rand.Rand, all []late, until time.Time) {
	for i, p := range all {
		sure := 0.85 + 0.1*r.Float64()
		if !p.at.Before(until) {
			sure = 0.5 + 0.02*r.Float64()
			p.known = p.at.Add(time.Duration(20+r.IntN(20)) * time.Hour)
		}
		p.predicted, p.truth, p.score = "yes", "no", sure
		if r.IntN(2) == 0 {
			p.predicted, p.score = "no", 1-sure
		}
		if r.Float64() < p.score {
			p.truth = "yes"
		}
		all[i] = p
	}
}

// badShare is what the labels of a window will say once all are in, and how many
// predictions it holds.
func badShare(all []late, from, to time.Time) (share float64, n int64) {
	bad := 0.0
	for _, p := range all {
		if p.at.Before(from) || !p.at.Before(to) {
			continue
		}
		n++
		if p.predicted != p.truth {
			bad++
		}
	}
	return bad / float64(n), n
}

func overWindow(t *testing.T, findings []Finding, window time.Duration) Finding {
	t.Helper()
	return pick(t, findings, plumbline.SignalBurn, plumbline.MeasureEstimatedBadShare, window, "v1")
}

// samePast holds what is replayed of an hour to what the service found then.
func samePast(t *testing.T, past *PastNowcasts, hour time.Time, long, short Finding) {
	t.Helper()
	n, ok, err := past.At(t.Context(), lateObjective(), "v1", hour)
	if err != nil || !ok {
		t.Fatalf("%v, %v", ok, err)
	}
	if n.Verdict != long.Verdict || n.Long.Share != long.Value || n.Low != long.Low || n.High != long.High || n.Short.Share != short.Value {
		t.Errorf("replayed %+v, found %+v and %+v", n, long, short)
	}
	if n, ok, err = past.At(t.Context(), lateObjective(), "v1", hour.Add(-8*time.Hour)); err != nil || !ok || n.Verdict != plumbline.VerdictOK {
		t.Errorf("before, %+v, %v, %v", n, ok, err)
	}
	for name, at := range map[string]time.Time{"not counted yet": hour.Add(time.Hour), "before it served": hour.Add(-30 * day)} {
		if n, ok, err := past.At(t.Context(), lateObjective(), "v1", at); err != nil || ok {
			t.Errorf("%s: %+v, %v", name, n, err)
		}
	}
}

// The nowcast says that the budget burns a day before labels can, and what it says
// is what the labels will.
func TestTheNowcastBurnsBeforeLabelsDo(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	r := rand.New(rand.NewPCG(71, 71))
	all := lateWorld(r, hour.Add(-12*day), now, 120)
	sureUntil(r, all, hour.Add(-7*time.Hour))
	storeLate(t, db, "m", all, now)
	runner := newRunner(t, db, lateObjective())
	findings := estimates(t, runner, db, "m", now)
	truth, n := badShare(all, hour.Add(-6*time.Hour), hour)
	long, short := overWindow(t, findings, 6*time.Hour), overWindow(t, findings, time.Hour)
	if !(long.Low <= truth && truth <= long.High) || math.Abs(long.Value-truth) > 0.1 || long.Count != uint64(n) || !long.WindowEnd.Equal(hour) {
		t.Errorf("%+v, want %.3f of %d", long, truth, n)
	}
	if long.Verdict != plumbline.VerdictBreach || !(long.Low > 0.15) {
		t.Errorf("%s with a bound of %.3f: %s", long.Verdict, long.Low, long.Assumes)
	}
	if long.Coverage > 0.05 || long.SLO != "late" {
		t.Errorf("%.2f of the labels are in for %s", long.Coverage, long.SLO)
	}
	if math.IsNaN(short.Value) || !math.IsNaN(short.Low) {
		t.Errorf("the last hour is %+v", short)
	}
	// Labels cannot know it yet.
	models, err := serving(t.Context(), db.Conn(), "m", now)
	if err != nil {
		t.Fatal(err)
	}
	matured, err := runner.lookBurn(t.Context(), lateObjective(), models[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range matured {
		if f.Verdict == plumbline.VerdictBreach || f.Measure != plumbline.MeasureBadShare {
			t.Errorf("labels already say %+v", f)
		}
	}
	f := runner.forecasts.models["m"]
	before, err := runner.forecasts.estimateOf(t.Context(), f, forecast.Question{End: hour.Add(-8 * time.Hour), Window: 6 * time.Hour, Deploy: "v1"}, map[forecast.Question]burn.Estimate{})
	if err != nil {
		t.Fatal(err)
	}
	pair, _ := burn.NowcastPair(lateObjective())
	if n := burn.EvaluateNowcast(lateObjective().SLO, pair, hour, before, before, 1); n.Verdict != plumbline.VerdictOK || before.Share > 0.14 {
		t.Errorf("before, it was %s at %.3f: %s", n.Verdict, before.Share, n.Says())
	}
	samePast(t, NewPastNowcasts(DefaultConfig(), db, []plumbline.Objective{lateObjective()}), hour, long, short)
	again := estimates(t, runner, db, "m", now.Add(6*time.Minute))
	if len(again) != len(findings) {
		t.Errorf("%d findings six minutes later, want the same %d", len(again), len(findings))
	}
	if slices.ContainsFunc(again, func(f Finding) bool {
		return f.Signal == plumbline.SignalBurn && f.Measure == plumbline.MeasureBadShare
	}) {
		t.Error("estimates pass for labels")
	}
}

// Of a burn after which nothing came, nobody knows whether it goes on: that is not
// well, and what is replayed says it as long as the service did.
func TestTheNowcastWhenTrafficEnds(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	r := rand.New(rand.NewPCG(72, 72))
	all := lateWorld(r, hour.Add(-12*day), hour.Add(-90*time.Minute), 120)
	sureUntil(r, all, hour.Add(-7*time.Hour))
	storeLate(t, db, "m", all, now)
	findings := estimates(t, newRunner(t, db, lateObjective()), db, "m", now)
	long, short := overWindow(t, findings, 6*time.Hour), overWindow(t, findings, time.Hour)
	if long.Verdict != plumbline.VerdictInsufficient || !(long.Low > 0.15) || !strings.Contains(long.Assumes, "of the last 1h there is no estimate") {
		t.Errorf("%s from %.3f on: %s", long.Verdict, long.Low, long.Assumes)
	}
	if short.Verdict != plumbline.VerdictInsufficient || !math.IsNaN(short.Value) {
		t.Errorf("the last hour is %+v", short)
	}
	n, ok, err := NewPastNowcasts(DefaultConfig(), db, []plumbline.Objective{lateObjective()}).At(t.Context(), lateObjective(), "v1", hour)
	if err != nil || !ok || n.Verdict != long.Verdict || n.Long.Share != long.Value || n.Low != long.Low || n.High != long.High || n.Short.Why == "" {
		t.Errorf("replayed %+v, %v, %v; found %+v", n, ok, err, long)
	}
}

// What a page rests on knows which requests were sampled: of a window whose labels
// are all in, counted once more from what was sent.
func TestTheNowcastKnowsWhatWasSampled(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	r := rand.New(rand.NewPCG(73, 73))
	var sample []late
	for _, p := range lateWorld(r, hour.Add(-12*day), now, 120) {
		p.known = p.at.Truncate(time.Hour).Add(59*time.Minute + 30*time.Second)
		if p.weight = 1; p.predicted != p.truth && r.IntN(2) == 0 {
			p.weight = 20
		}
		if r.Int64N(p.weight) == 0 {
			sample = append(sample, p)
		}
	}
	storeLate(t, db, "m", sample, now)
	runner := newRunner(t, db, lateObjective())
	estimates(t, runner, db, "m", now)
	got, err := runner.forecasts.estimateOf(t.Context(), runner.forecasts.models["m"], forecast.Question{End: hour, Window: 6 * time.Hour, Deploy: "v1"}, map[forecast.Question]burn.Estimate{})
	if err != nil || got.Why != "" {
		t.Fatal(got.Why, err)
	}
	requests, bad := 0., 0.
	var window []late
	for _, p := range sample {
		if p.at.Before(hour.Add(-6*time.Hour)) || !p.at.Before(hour) {
			continue
		}
		window = append(window, p)
		requests += float64(p.weight)
		if p.predicted != p.truth {
			bad += float64(p.weight)
		}
	}
	variance := 0.
	for _, p := range window {
		off := -bad / requests
		if p.predicted != p.truth {
			off++
		}
		variance += float64(p.weight*p.weight-p.weight) * off * off / requests / requests
	}
	if got.Known != int64(len(window)) || math.Abs(got.Share-bad/requests) > 1e-9 || got.Requests != requests || math.Abs(got.Sampling-math.Sqrt(variance)) > 1e-9 || variance == 0 {
		t.Errorf("%+v, want %d of %g requests, of which %.4f bad, to within %.5f by sampling", got, len(window), requests, bad/requests, math.Sqrt(variance))
	}
}

// What is counted does not name the classes of a model of three: a replay took its
// answers for numbers, and had no nowcasts where the service had.
func TestModelsOfSeveralClassesAreReplayedToo(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	r := rand.New(rand.NewPCG(72, 72))
	all := lateWorld(r, hour.Add(-6*day), now, 60)
	for i, p := range all {
		p.predicted, p.score = []string{"cat", "cow", "dog"}[r.IntN(3)], 0.9
		if p.truth = p.predicted; r.IntN(10) == 0 {
			p.truth = "elk"
		}
		all[i] = p
	}
	storeLate(t, db, "m", all, now)
	runner := newRunner(t, db, lateObjective())
	findings := estimates(t, runner, db, "m", now)
	long, short := overWindow(t, findings, 6*time.Hour), overWindow(t, findings, time.Hour)
	n, ok, err := NewPastNowcasts(DefaultConfig(), db, []plumbline.Objective{lateObjective()}).At(t.Context(), lateObjective(), "v1", hour)
	if err != nil || !ok || n.Verdict != long.Verdict || n.Long.Share != long.Value || n.Short.Share != short.Value || math.Abs(long.Value-0.1) > 0.05 {
		t.Errorf("replayed %+v (%v, %v), found %+v and %+v", n, ok, err, long, short)
	}
}

// Bad labels that begin to come at once while good ones stand still say nothing of
// the rest of a window: where scores say that all is well, no page rests on them.
func TestBadLabelsThatComeFirstPageNobody(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	beyond := 0
	for i, tt := range []struct {
		hourly int
		since  time.Duration
	}{{60, 12 * time.Hour}, {60, 30 * time.Hour}, {120, 12 * time.Hour}, {300, 10 * time.Hour}} {
		o := lateObjective()
		o.SLO.Model = plumbline.Model(fmt.Sprint("stalled", i))
		r := rand.New(rand.NewPCG(74, uint64(i)))
		all := lateWorld(r, hour.Add(-12*day), now, tt.hourly)
		sureUntil(r, all, now)
		for i, p := range all {
			switch bad := p.predicted != p.truth; {
			case !bad && p.known.After(now.Add(-tt.since)):
				all[i].known = now.Add(day)
			case bad && p.at.After(now.Add(-tt.since)):
				all[i].known = p.at.Add(time.Minute)
			}
		}
		storeLate(t, db, o.SLO.Model, all, now)
		f := overWindow(t, estimates(t, newRunner(t, db, o), db, o.SLO.Model, now), 6*time.Hour)
		if f.Verdict == plumbline.VerdictBreach {
			t.Errorf("%d an hour, for %v: %+v", tt.hourly, tt.since, f)
		}
		if f.Low > 0.15 && strings.Contains(f.Assumes, "bad labels may be the first to come") {
			beyond++
		}
	}
	if beyond < 2 {
		t.Errorf("of 4 estimates %d are beyond the threshold for their labels alone: the test shows little", beyond)
	}
}
