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
	qualityask "github.com/plumbline-slo/plumbline/analyze/quality/ask"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/storage"
)

// arrival looks at one model's labels as the runner does.
func arrival(t *testing.T, r *Runner, model plumbline.Model, at time.Time) []Finding {
	t.Helper()
	models, err := serving(t.Context(), r.db.Conn(), model, at)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	findings, err := r.arrivals.look(t.Context(), models[0], at)
	if err != nil {
		t.Fatal(err)
	}
	return findings
}

// A dead label pipeline is one breach, that of label arrival: what it takes from
// the burn rate is its newest hours, and nothing burns.
func TestADeadLabelPipelineIsOneBreachAndNoBurn(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(71, 71))
	died := now.Truncate(time.Hour).Add(-5 * time.Hour)
	batch := func(known time.Time) time.Time { // once a night
		return known.Add(21 * time.Hour).Truncate(day).Add(3 * time.Hour)
	}
	for _, tt := range []struct {
		name    plumbline.Model
		known   func(time.Time) time.Time // zero: never
		blind   float64
		verdict string
	}{
		{"alive", func(known time.Time) time.Time { return known }, 0, plumbline.VerdictOK},
		{"dead", func(known time.Time) time.Time {
			if !known.Before(died) {
				return now.Add(day)
			}
			return known
		}, 1, plumbline.VerdictBreach},
		{"nightly", batch, 0, plumbline.VerdictOK},
		{"never labelled", func(time.Time) time.Time { return now.Add(day) }, math.NaN(), plumbline.VerdictMissing},
	} {
		t.Run(string(tt.name), func(t *testing.T) {
			all := lateWorld(random, now.Add(-7*day), now, 20)
			for i := range all {
				all[i].known = tt.known(all[i].known)
			}
			storeLate(t, db, tt.name, all, now)
			o := objective(tt.name)
			o.SLO.Target, o.SLO.MinCoverage = 0.6, 0.2
			r := newRunner(t, db, o)
			r.arrivals.cfg.LabelArrival.For = 0
			findings := arrival(t, r, tt.name, now)
			// A minute later only what is new is read, and says the same.
			whole, err := r.arrivals.reader.Arrivals(t.Context(), tt.name, r.cfg.LabelArrival.History, now.Add(time.Minute))
			if err != nil {
				t.Fatal(err)
			}
			later, want := arrival(t, r, tt.name, now.Add(time.Minute)), r.arrivals.findings(tt.name, whole, tt.blind == 1)
			for i, f := range later {
				if fmt.Sprint(f) != fmt.Sprint(want[i]) {
					t.Errorf("a minute later %+v, want %+v", f, want[i])
				}
			}
			breaches := find(findings, func(f Finding) bool {
				return f.Verdict == plumbline.VerdictBreach && f.Measure == plumbline.MeasureBlind
			})
			blind := pick(t, findings, plumbline.SignalLabelArrival, plumbline.MeasureBlind, 0, "")
			if blind.Verdict != tt.verdict || blind.Value != tt.blind && !(math.IsNaN(blind.Value) && math.IsNaN(tt.blind)) || len(breaches) > 1 {
				t.Errorf("%+v, want %v %s: %+v", blind, tt.blind, tt.verdict, findings)
			}
			if tt.blind == 1 {
				if blind.WindowEnd.After(died) || blind.WindowEnd.Before(died.Add(-2*time.Hour)) {
					t.Errorf("labels came as usual until %s, want %s", blind.WindowEnd, died)
				}
				in, want := pick(t, findings, plumbline.SignalLabelArrival, plumbline.MeasureLabelsArrived, time.Hour, ""), pick(t, findings, plumbline.SignalLabelArrival, plumbline.MeasureLabelsExpected, time.Hour, "")
				if in.Value != 0 || want.Value < 20 || want.Value > 30 {
					t.Errorf("%v of %v labels, want none of about 25", in.Value, want.Value)
				}
			}
			burns, err := r.lookBurn(t.Context(), o, must(serving(t.Context(), db.Conn(), tt.name, now))[0])
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(burns, func(f Finding) bool { return f.Verdict == plumbline.VerdictBreach }) {
				t.Errorf("late labels burn: %+v", burns)
			}
		})
	}
}

// Of a model of which no label was known the first ones are told of at the next
// look, not after the hour.
func TestFirstLabelsAreToldOfAtOnce(t *testing.T) {
	db := startDB(t)
	const model = "backfilled"
	all := lateWorld(rand.New(rand.NewPCG(73, 73)), now.Add(-5*day), now, 20)
	none := slices.Clone(all)
	for i := range none {
		none[i].known = now.Add(day)
	}
	storeLate(t, db, model, none, now)
	r := newRunner(t, db)
	labelsIn := func() Finding {
		return pick(t, estimates(t, r, db, model, now), plumbline.SignalMaturity, plumbline.MeasureLabelsIn, 7*day, "v1")
	}
	if in := labelsIn(); in.Verdict != plumbline.VerdictMissing {
		t.Fatalf("without labels %+v", in)
	}
	storeLate(t, db, model, all, now)
	r.forecasts.models[model].last = attempt{}
	if in := labelsIn(); in.Verdict == plumbline.VerdictMissing || in.Count == 0 {
		t.Errorf("with labels %+v", in)
	}
}

// The first look of a service that is started with a backlog falls into the oldest
// of it, whose hours are long before every window: the next one tells of all.
func TestABackfillIsToldOfAtTheNextLook(t *testing.T) {
	db := startDB(t)
	const model = "backfilled"
	all := lateWorld(rand.New(rand.NewPCG(76, 76)), now.Add(-20*day), now, 20)
	begun := slices.Clone(all[:100])
	for i := range begun {
		begun[i].known = now.Add(day)
	}
	storeLate(t, db, model, begun, now)
	r := newRunner(t, db)
	models, err := serving(t.Context(), db.Conn(), model, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(models) == 0 { // the newest of the backlog makes it serve
		models = []traffic{{model: model}}
	}
	labelsIn := func(at time.Time) Finding {
		findings, err := r.forecasts.look(t.Context(), models[0], at)
		if err != nil {
			t.Fatal(err)
		}
		return pick(t, findings, plumbline.SignalMaturity, plumbline.MeasureLabelsIn, 7*day, "")
	}
	if in := labelsIn(now); in.Verdict != plumbline.VerdictMissing {
		t.Fatalf("of windows without predictions %+v", in)
	}
	storeLate(t, db, model, all, now)
	if in := labelsIn(now.Add(r.cfg.EstimateInterval)); in.Verdict == plumbline.VerdictMissing || in.Count == 0 {
		t.Errorf("once everything is in %+v", in)
	}
}

// What a batch holds reaches one table after the other: a look between two finds a
// classifier without a class, and must not take it for a regression for a day.
func TestClassesThatAreStoredLateAreSeenAtTheNextLook(t *testing.T) {
	db := startDB(t)
	const model = "halfway"
	storeLate(t, db, model, lateWorld(rand.New(rand.NewPCG(79, 79)), now.Add(-20*day), now, 20), now)
	exec := func(statement string) {
		t.Helper()
		if err := db.Conn().Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec("CREATE TABLE kept AS categories_hour")
	exec("INSERT INTO kept SELECT * FROM categories_hour WHERE model = 'halfway'")
	exec("DELETE FROM categories_hour WHERE model = 'halfway'")
	r := newRunner(t, db)
	if f := estimates(t, r, db, model, now); len(find(f, func(f Finding) bool { return f.Signal == plumbline.SignalEstimatedQuality && f.Measure == "mae" })) == 0 {
		t.Fatalf("without classes %+v", f)
	}
	exec("INSERT INTO categories_hour SELECT * FROM kept")
	exec("DROP TABLE kept")
	r.forecasts.models[model].last = attempt{}
	if f := estimates(t, r, db, model, now); len(find(f, func(f Finding) bool {
		return f.Signal == plumbline.SignalEstimatedQuality && f.Measure == "accuracy" && f.Verdict != plumbline.VerdictMissing
	})) == 0 {
		t.Errorf("with them %+v", f)
	}
}

// A model that is paused has no predictions in any window, and labels of what it
// answered before come in for weeks: those are not its first.
func TestLabelsOfAPausedModelAreNotItsFirst(t *testing.T) {
	db := startDB(t)
	const model = "paused"
	all := lateWorld(rand.New(rand.NewPCG(77, 77)), now.Add(-20*day), now.Add(-9*day), 20)
	storeLate(t, db, model, all, now)
	r := newRunner(t, db)
	paused := traffic{model: model} // it serves no more
	look := func(at time.Time) *forecastOf {
		for {
			findings, err := r.forecasts.look(t.Context(), paused, at)
			if err != nil {
				t.Fatal(err)
			}
			f := r.forecasts.models[model]
			if f.last = (attempt{}); len(findings) > 1 { // the history is counted a piece a look
				if in := pick(t, findings, plumbline.SignalMaturity, plumbline.MeasureLabelsIn, 7*day, ""); in.Verdict != plumbline.VerdictMissing {
					t.Fatalf("of windows without predictions %+v", in)
				}
				return f
			}
		}
	}
	look(now)
	before := look(now.Add(time.Minute)).forecaster
	insert(t, db, "outcome_cells", []map[string]any{{"model": model, "deploy_hash": "v1", "stage": "production",
		"time": all[0].at.Truncate(time.Minute).Unix(), "known": now.Truncate(time.Hour).Unix(), "labelled": 1, "correct": 1, "rows": 1, "squares": 1, "version": 1}})
	if f := look(now.Add(time.Hour)); f.forecaster != before {
		t.Error("its calibrations were forgotten for labels that are late")
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// Partial feedback has bounds, or an estimate by declared chances, and no verdict
// that a page may rest on.
func TestPartialFeedbackIsBounded(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(72, 72))
	hour := now.Truncate(time.Hour)
	all := lateWorld(random, hour.Add(-12*day), now, 20)
	right, n := 0.0, 0.0
	for i, p := range all {
		if p.at.After(hour.Add(-11*day)) && p.at.Before(hour.Add(-3*day)) {
			n++
			if p.predicted == p.truth {
				right++
			}
		}
		all[i].propensity = 1
		if p.predicted == "no" {
			all[i].propensity = 0.1
			if random.IntN(10) > 0 {
				all[i].known = now.Add(day) // turned down, but for one in ten
			}
		}
	}
	storeLate(t, db, "loans", all, now)
	for _, tt := range []struct {
		feedback Feedback
		point    bool
		width    float64
	}{
		{Feedback{Kind: FeedbackPartial}, false, 1},
		{Feedback{Kind: FeedbackPartial, Exploration: 0.1, Accepted: "yes"}, true, 0.25},
		{Feedback{Kind: FeedbackPartial, Propensity: "logged"}, true, 0.25},
	} {
		cfg := DefaultConfig()
		cfg.Models = map[plumbline.Model]ModelConfig{"loans": {Estimate: EstimateModel{Strata: "number:lead:20,40"}, Feedback: tt.feedback}}
		cfg.EstimateWindows, cfg.EstimateHistory = []time.Duration{4 * day}, 12*day
		r, err := New(cfg, Dependencies{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		f := pick(t, estimates(t, r, db, "loans", now), plumbline.SignalEstimatedQuality, plumbline.MeasureAccuracy, 4*day, "v1")
		if f.Verdict != plumbline.VerdictInsufficient || math.IsNaN(f.Value) == tt.point || !(f.Low <= right/n && right/n <= f.High) || f.High-f.Low > tt.width || f.High-f.Low < 0.02 {
			t.Errorf("%+v gives %+v, truth %.3f", tt.feedback, f, right/n)
		}
		if f.WindowEnd.After(hour.Add(-24 * time.Hour)) {
			t.Errorf("the window ends at %s, when labels that come take two days", f.WindowEnd)
		}
		labelsAloneSayNothing(t, r, db)
	}
}

// A model of three classes, of which one is always let through.
func TestExplorationOfManyClasses(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(79, 79))
	hour := now.Truncate(time.Hour)
	all := lateWorld(random, hour.Add(-12*day), now, 20)
	right, n := 0.0, 0.0
	for i, p := range all {
		if p.predicted == "no" && i%2 == 0 {
			p.predicted = "later" // never right, and never let through but for exploration
		}
		if p.predicted != "yes" && random.IntN(10) > 0 {
			p.known = now.Add(day)
		}
		if p.at.After(hour.Add(-11*day)) && p.at.Before(hour.Add(-3*day)) {
			n++
			if p.predicted == p.truth {
				right++
			}
		}
		all[i] = p
	}
	storeLate(t, db, "loans", all, now)
	cfg := DefaultConfig()
	cfg.Models = map[plumbline.Model]ModelConfig{"loans": {Estimate: EstimateModel{Strata: "number:lead:20,40"}, Feedback: Feedback{Kind: FeedbackPartial, Exploration: 0.1, Accepted: "yes"}}}
	cfg.EstimateWindows, cfg.EstimateHistory = []time.Duration{4 * day}, 12*day
	r, err := New(cfg, Dependencies{DB: db})
	if err != nil {
		t.Fatal(err)
	}
	f := pick(t, estimates(t, r, db, "loans", now), plumbline.SignalEstimatedQuality, plumbline.MeasureAccuracy, 4*day, "v1")
	if f.Verdict != plumbline.VerdictInsufficient || !(f.Low <= right/n && right/n <= f.High) || f.High-f.Low > 0.25 || math.Abs(f.Value-right/n) > 0.1 {
		t.Errorf("%+v, truth %.3f", f, right/n)
	}
}

// labelsAloneSayNothing: what only those tell of that the model itself let get a
// label is no number, and burns no budget.
func labelsAloneSayNothing(t *testing.T, r *Runner, db *storage.DB) {
	t.Helper()
	r.now = func() time.Time { return now }
	models := must(serving(t.Context(), db.Conn(), "loans", now))
	o := objective("loans")
	o.SLO.Target, o.SLO.MinCoverage = 0.99, 0.01
	o.Pairs = []plumbline.WindowPair{{Long: 4 * day, Short: 2 * day, Factor: 1, Severity: plumbline.SeverityPage}}
	findings := append(must(r.lookBurn(t.Context(), o, models[0])), must(r.lookQuality(t.Context(), models))...)
	told := 0
	for _, f := range findings {
		if f.Signal == plumbline.SignalCoverage {
			continue
		}
		if told++; !math.IsNaN(f.Value) || !math.IsNaN(f.Low) || f.Verdict != plumbline.VerdictInsufficient && f.Verdict != plumbline.VerdictMissing {
			t.Errorf("labels of chosen predictions alone say %+v", f)
		}
	}
	if told < 3 {
		t.Errorf("%d findings of burn and quality", told)
	}
	// What is withheld would have been a page.
	r.cfg.Models = nil
	if burning := must(r.lookBurn(t.Context(), o, models[0])); !slices.ContainsFunc(burning, func(f Finding) bool { return f.Verdict == plumbline.VerdictBreach }) {
		t.Errorf("nothing burns with full feedback, the test tests nothing: %+v", burning)
	}
}

// Labels of a random sample correct the estimate in full: what the model says of its
// scores is worth nothing here, and the interval holds all the same.
func TestRandomLabelsCorrectInFull(t *testing.T) {
	db := startDB(t)
	random := rand.New(rand.NewPCG(78, 78))
	hour := now.Truncate(time.Hour)
	all := lateWorld(random, hour.Add(-12*day), now, 20)
	right, n := 0.0, 0.0
	for i, p := range all {
		inside, every := !p.at.Before(hour.Add(-4*day)) && p.at.Before(hour), 10
		if inside {
			every = 40
		}
		all[i].known = now.Add(day)
		if random.IntN(every) == 0 {
			all[i].known = p.at.Add(time.Minute)
		}
		if !inside {
			continue
		}
		if random.IntN(3) == 0 {
			all[i].truth = map[string]string{"yes": "no", "no": "yes"}[p.truth]
		}
		if n++; all[i].predicted == all[i].truth {
			right++
		}
	}
	storeLate(t, db, "sampled", all, now)
	said := map[string]Finding{}
	for _, kind := range []string{FeedbackFull, FeedbackRandom} {
		cfg := DefaultConfig()
		cfg.Models = map[plumbline.Model]ModelConfig{"sampled": {Estimate: EstimateModel{Strata: "number:lead:20,40"}, Feedback: Feedback{Kind: kind}}}
		cfg.EstimateWindows, cfg.EstimateHistory = []time.Duration{4 * day}, 12*day
		r, err := New(cfg, Dependencies{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		said[kind] = pick(t, estimates(t, r, db, "sampled", now), plumbline.SignalEstimatedQuality, plumbline.MeasureAccuracy, 4*day, "v1")
	}
	full, sample := said[FeedbackFull], said[FeedbackRandom]
	if !(sample.Low <= right/n && right/n <= sample.High) || sample.High-sample.Low > 0.35 || !strings.Contains(sample.Assumes, "simple random sample") {
		t.Errorf("a random sample gives %+v, truth %.3f", sample, right/n)
	}
	if math.Abs(full.Value-right/n) <= math.Abs(sample.Value-right/n) || strings.Contains(full.Assumes, "simple random sample") {
		t.Errorf("labels that came first correct as much as a random sample, the test tests nothing: %+v", full)
	}
}

// What a model answers is what its owner declares, and else what it predicted.
func TestModelsAnswerWhatIsDeclared(t *testing.T) {
	for _, tt := range []struct {
		model   ModelConfig
		seen    string
		task    forecast.Task
		classes string
	}{
		{ModelConfig{}, "", forecast.Regression, ""},
		{ModelConfig{}, "no yes", forecast.Binary, "no yes"},
		{ModelConfig{}, "a b c", forecast.Classes, "a b c"},
		{ModelConfig{Task: qualityask.Binary, Positive: "fraud"}, "ok", forecast.Binary, "fraud ok"},
		{ModelConfig{Task: qualityask.Binary, Positive: "fraud"}, "fraud", forecast.Classes, "fraud"}, // its score is about what it predicted
		{ModelConfig{Task: qualityask.Multiclass}, "a b", forecast.Classes, "a b"},
		{ModelConfig{Task: qualityask.Regression}, "", forecast.Regression, ""},
	} {
		task, classes := tt.model.answers(strings.Fields(tt.seen))
		if task != tt.task || strings.Join(classes, " ") != tt.classes {
			t.Errorf("%+v that predicted %q: %s of %q, want %s of %q", tt.model, tt.seen, task, classes, tt.task, tt.classes)
		}
	}
	if (ModelConfig{Task: qualityask.Ranking}).estimated() || !(ModelConfig{}).estimated() {
		t.Error("a ranking is estimated, or nothing else is")
	}
}

func TestModelConfigIsChecked(t *testing.T) {
	for name, m := range map[string]ModelConfig{
		"strata":                 {Estimate: EstimateModel{Strata: "lead"}},
		"kind":                   {Feedback: Feedback{Kind: "half"}},
		"exploration of full":    {Feedback: Feedback{Exploration: 0.1, Accepted: "yes"}},
		"exploration over 1":     {Feedback: Feedback{Kind: FeedbackPartial, Exploration: 2, Accepted: "yes"}},
		"exploration of nothing": {Feedback: Feedback{Kind: FeedbackPartial, Exploration: 0.1}},
		"exploration of numbers": {Task: qualityask.Regression, Feedback: Feedback{Kind: FeedbackPartial, Exploration: 0.1, Accepted: "yes"}},
		"two ways":               {Feedback: Feedback{Kind: FeedbackPartial, Exploration: 0.1, Accepted: "yes", Propensity: "logged"}},
		"propensity":             {Feedback: Feedback{Kind: FeedbackPartial, Propensity: "weight"}},
	} {
		cfg := DefaultConfig()
		cfg.Models = map[plumbline.Model]ModelConfig{"m": m}
		if err := cfg.Validate(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	cfg := DefaultConfig()
	cfg.LabelArrival.Least, cfg.LabelArrival.For, cfg.EstimateWindows = 1, -time.Second, []time.Duration{time.Minute}
	if err := cfg.Validate(); err == nil {
		t.Error("a least share of 1 and a window of a minute are accepted")
	}
}

// The error of a regression that decides itself who gets a label is weighed by logged
// chances, as known by now: a corrected label counts as it is, a withdrawn one not at
// all. Without chances there is no number: an error has no bounds.
func TestTheErrorOfARegressionIsWeighedByLoggedChances(t *testing.T) {
	db := startDB(t)
	r := rand.New(rand.NewPCG(75, 75))
	hour := now.Truncate(time.Hour)
	end := hour.Add(-time.Hour) // labels take less than that
	var asked, heard []map[string]any
	sums := map[string]float64{}
	for i, at := 0, hour.Add(-6*day); at.Before(hour); i, at = i+1, at.Add(5*time.Minute) {
		size, chance := 10+90*r.Float64(), 1.0
		if size > 40 {
			chance = 0.1
		}
		miss := math.Abs(size / 10 * r.NormFloat64())
		id := map[string]any{"model": "r", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i), "ts": at.UnixMilli(), "known": at.UnixMilli(),
			"predicted_value": size, "propensity": chance, "weight": 1, "_offset": i}
		asked = append(asked, id)
		inside := !at.Before(end.Add(-4*day)) && at.Before(end)
		if inside {
			sums["truth"], sums["all"] = sums["truth"]+miss, sums["all"]+1
		}
		if r.Float64() >= chance {
			continue
		}
		label := func(known time.Duration, value float64, change map[string]any) {
			row := map[string]any{"model": "r", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i), "ts": at.UnixMilli(), "known": at.Add(known).UnixMilli(),
				"predicted_value": size, "label_value": value, "holds": 1, "truth_value": value, "labelled": 1, "requests": 1, "version": 1}
			for k, v := range change {
				row[k] = v
			}
			if at.Add(known).Before(hour) {
				heard = append(heard, row)
			}
		}
		switch wait := time.Duration(r.IntN(20)) * time.Minute; {
		case i%10 == 0: // corrected
			label(wait, size+50, nil)
			label(wait+30*time.Minute, size+miss, map[string]any{"held": 1, "former_value": size + 50, "labelled": 0})
		case i%10 == 5: // withdrawn
			label(wait, size+50, nil)
			label(wait+30*time.Minute, 0, map[string]any{"held": 1, "former_value": size + 50, "labelled": -1, "holds": 0, "truth_value": nil, "label_value": nil})
			continue
		default:
			label(wait, size+miss, nil)
		}
		if inside {
			sums["weighed"], sums["chances"] = sums["weighed"]+miss/chance, sums["chances"]+1/chance
			sums["labelled"], sums["labels"] = sums["labelled"]+miss, sums["labels"]+1
		}
	}
	insert(t, db, "predictions", asked)
	insert(t, db, "outcomes", heard)
	storeLate(t, db, "r", nil, now)
	mae := func(feedback Feedback) Finding {
		cfg := DefaultConfig()
		cfg.Models = map[plumbline.Model]ModelConfig{"r": {Task: qualityask.Regression, Estimate: EstimateModel{Strata: "none"}, Feedback: feedback}}
		cfg.EstimateWindows, cfg.EstimateHistory = []time.Duration{4 * day}, 8*day
		runner, err := New(cfg, Dependencies{DB: db})
		if err != nil {
			t.Fatal(err)
		}
		return pick(t, estimates(t, runner, db, "r", now), plumbline.SignalEstimatedQuality, "mae", 4*day, "v1")
	}
	f := mae(Feedback{Kind: FeedbackPartial, Propensity: "logged"})
	if !f.WindowEnd.Equal(end) {
		t.Fatalf("the window ends at %s, want %s: %+v", f.WindowEnd, end, f)
	}
	truth, weighed := sums["truth"]/sums["all"], sums["weighed"]/sums["chances"]
	if math.Abs(f.Value-weighed) > 1e-6 || !(f.Low <= truth && truth <= f.High) || f.High-f.Low > truth || f.Verdict != plumbline.VerdictInsufficient {
		t.Errorf("%+v, want %.6f, of %.3f", f, weighed, truth)
	}
	if alone := sums["labelled"] / sums["labels"]; math.Abs(alone-truth) < 0.5 {
		t.Errorf("labels alone say %.3f of %.3f, too: the test tests nothing", alone, truth)
	}
	if f := mae(Feedback{Kind: FeedbackPartial}); !math.IsNaN(f.Value) || !strings.Contains(f.Assumes, "no bounds") {
		t.Errorf("without chances %+v", f)
	}
}
