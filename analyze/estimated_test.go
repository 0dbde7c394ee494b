package analyze

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
	"github.com/plumbline-slo/plumbline/analyze/quality"
	"github.com/plumbline-slo/plumbline/analyze/quality/forecast"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
)

// late is a prediction of a binary model whose label comes the later the greater
// its feature lead is; those of great lead are wrong more often, so that the
// labels that are in say too much good of it.
type late struct {
	at, known        time.Time
	lead, score      float64
	predicted, truth string
	propensity       any   // of getting a label, where it is logged
	weight           int64 // requests that it stands for, 0 is one
}

func (p late) requests() int64 { return max(p.weight, 1) }

var classes = []string{"no", "yes"}

// lateWorld is some days of late predictions, so many an hour. Scores mean what
// they say; those of great lead say little.
func lateWorld(r *rand.Rand, from, to time.Time, hourly int) []late {
	var all []late
	for at := from; at.Before(to); at = at.Add(time.Hour / time.Duration(hourly)) {
		p := late{at: at, lead: float64(r.IntN(60))}
		p.score = 0.5 + 0.48*(1-p.lead/62)*math.Sqrt(r.Float64())
		if r.IntN(2) == 0 {
			p.score = 1 - p.score
		}
		p.predicted, p.truth = "no", "no"
		if p.score > 0.5 {
			p.predicted = "yes"
		}
		if r.Float64() < p.score {
			p.truth = "yes"
		}
		p.known = at.Add(time.Duration((p.lead + r.Float64()) * float64(time.Hour)))
		all = append(all, p)
	}
	return all
}

// storeLate writes what ingest and the join know of them at an instant.
func storeLate(t *testing.T, db *storage.DB, model plumbline.Model, all []late, by time.Time) {
	t.Helper()
	var asked, heard []map[string]any
	for i, p := range all {
		if !p.at.Before(by) {
			continue
		}
		asked = append(asked, map[string]any{"model": model, "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i), "ts": p.at.UnixMilli(), "known": p.at.UnixMilli(),
			"numbers": map[string]float64{"lead": p.lead}, "score": p.score, "propensity": p.propensity, "predicted": p.predicted, "weight": p.requests(), "_offset": i})
		if p.known.Before(by) {
			correct := 0
			if p.predicted == p.truth {
				correct = 1
			}
			heard = append(heard, map[string]any{"model": model, "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i), "ts": p.at.UnixMilli(), "known": p.known.UnixMilli(),
				"predicted": p.predicted, "label": p.truth, "score": p.score, "labelled": 1, "correct": correct, "requests": p.requests(), "version": 1})
		}
	}
	insert(t, db, "predictions", asked)
	insert(t, db, "outcomes", heard)
	for _, statement := range []string{
		`INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows)
			SELECT model, deploy_hash, stage, '', 'requests', '', toStartOfHour(ts), toUInt64(sum(weight)), count() FROM predictions WHERE model = {model:String} GROUP BY model, deploy_hash, stage, toStartOfHour(ts)`,
		`INSERT INTO series_minute (model, deploy_hash, stage, segment, series, grid, time, count, rows)
			SELECT model, deploy_hash, stage, '', 'requests', '', toStartOfMinute(ts), toUInt64(sum(weight)), count() FROM predictions WHERE model = {model:String} GROUP BY model, deploy_hash, stage, toStartOfMinute(ts)`,
		`INSERT INTO categories_hour (model, deploy_hash, stage, segment, series, time, value, kind, count)
			SELECT model, deploy_hash, stage, '', 'predicted', toStartOfHour(ts), predicted, 0, count() FROM predictions WHERE model = {model:String} AND predicted != '' GROUP BY model, deploy_hash, stage, toStartOfHour(ts), predicted`,
		`INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, squares, version)
			SELECT model, deploy_hash, stage, '', toStartOfMinute(ts), toStartOfHour(known), sum(labelled * toInt64(requests)), sum(correct * toInt64(requests)),
				sum(labelled), sum(toInt128(labelled) * requests * requests), sum(version)
			FROM outcomes FINAL WHERE model = {model:String} GROUP BY model, deploy_hash, stage, toStartOfMinute(ts), toStartOfHour(known)`,
	} {
		rows, err := db.Conn().Query(t.Context(), statement, clickhouse.Named("model", string(model)))
		if err != nil {
			t.Fatal(err)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// estimates looks at one model as the runner does.
func estimates(t *testing.T, r *Runner, db *storage.DB, model plumbline.Model, at time.Time) []Finding {
	t.Helper()
	models, err := serving(t.Context(), db.Conn(), model, at)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	for {
		findings, err := r.forecasts.look(t.Context(), models[0], at)
		if err != nil {
			t.Fatal(err)
		}
		if len(findings) > 1 || len(findings) == 0 {
			return findings
		}
		// The history is counted a piece a look.
		r.forecasts.models[model].last = attempt{}
	}
}

// countAll counts the history of one model and says nothing of it.
func countAll(t *testing.T, r *Runner, db *storage.DB, model plumbline.Model) *forecastOf {
	t.Helper()
	models, err := serving(t.Context(), db.Conn(), model, now)
	if err != nil || len(models) != 1 {
		t.Fatal(models, err)
	}
	hour := now.Truncate(time.Hour)
	f := &forecastOf{}
	f.scope.Model = model
	if err := r.forecasts.settle(t.Context(), f, models[0], hour); err != nil {
		t.Fatal(err)
	}
	for f.scope.From, f.scope.To = hour.Add(-r.cfg.EstimateHistory), hour; ; {
		p, err := r.forecasts.roller.Roll(t.Context(), f.scope)
		if err != nil {
			t.Fatal(err)
		}
		if !p.More {
			return f
		}
	}
}

func pick(t *testing.T, findings []Finding, signal plumbline.SignalName, measure string, window time.Duration, deploy plumbline.DeployHash) Finding {
	t.Helper()
	found := find(findings, func(f Finding) bool {
		return f.Signal == signal && f.Measure == measure && f.Window == window && f.Deploy == deploy
	})
	if len(found) != 1 {
		t.Fatalf("%d findings of %s %s over %s, want 1", len(found), signal, measure, window)
	}
	return found[0]
}

func TestTheEstimateCoversWhatLabelsAloneMiss(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	all := lateWorld(rand.New(rand.NewPCG(61, 61)), hour.Add(-18*day), now, 15)
	storeLate(t, db, "m", all, now)
	r := newRunner(t, db)
	findings := estimates(t, r, db, "m", now)
	if s := r.forecasts.models["m"].scope.Strata; s.Name != "lead" {
		t.Errorf("the strata are %s, want those of lead, which drives the delay", s)
	}
	accuracy := pick(t, findings, plumbline.SignalEstimatedQuality, plumbline.MeasureAccuracy, day, "v1")
	held, alone := 0, 0
	for back := range 12 {
		end := hour.Add(-time.Duration(back) * 6 * time.Hour)
		truth, labelled, correct := truthOf(all, end)
		if only := quality.Wilson(correct, labelled); only.Low <= truth && truth <= only.High {
			alone++
		}
		a, err := r.forecasts.models["m"].forecaster.Ask(t.Context(), forecast.Question{End: end, Window: day, Deploy: "v1"})
		if err != nil || a.Why != "" {
			t.Fatal(a.Why, err)
		}
		if a.Estimate.Holds(truth) && a.Estimate.Width() < 0.15 && a.Estimate.Known == labelled {
			held++
		}
		if back == 0 && (accuracy.Value != a.Estimate.Value || accuracy.High != a.Estimate.High || accuracy.Low > accuracy.Value) {
			t.Errorf("the finding %+v is not the answer %+v", accuracy, a.Estimate)
		}
	}
	if held < 11 || alone > 6 {
		t.Errorf("of 12 intervals %d of the estimate hold, and %d of labels alone", held, alone)
	}
	record := pick(t, findings, plumbline.SignalEstimatedQuality, plumbline.MeasureIntervalRecord, day, "v1")
	if accuracy.Verdict != plumbline.VerdictOK || record.Verdict != plumbline.VerdictOK || record.Count < 10 || !strings.HasPrefix(record.Assumes, assumesRecord+"; ") {
		t.Errorf("the estimate is %s by a record of %.2f over %d windows: %s", accuracy.Verdict, record.Value, record.Count, record.Assumes)
	}
	f1 := pick(t, findings, plumbline.SignalEstimatedQuality, "f1", day, "v1")
	if !(f1.Low < f1.Value && f1.Value < f1.High) {
		t.Errorf("%+v", f1)
	}
	week := pick(t, findings, plumbline.SignalEstimatedQuality, plumbline.MeasureAccuracy, 7*day, "v1")
	if week.Verdict != plumbline.VerdictInsufficient || math.IsNaN(week.Value) {
		t.Errorf("a week, of which there were only two, is %+v, want a number that is not proven", week)
	}
	if drift := pick(t, findings, plumbline.SignalConceptDrift, plumbline.MeasureEstimateGap, day, "v1"); drift.Verdict != plumbline.VerdictOK || drift.Assumes != assumesGap+"; the labels that are in fit the estimate" {
		t.Errorf("late labels contradict: %+v", drift)
	}
	promised := pick(t, findings, plumbline.SignalConceptDrift, plumbline.MeasurePromisedAccuracy, day, "v1")
	if truth, _, _ := truthOf(all, hour); !(promised.Low <= truth && truth <= promised.High && promised.Low < promised.Value && promised.Value < promised.High) ||
		promised.Value == accuracy.Value || !math.IsNaN(promised.Effect) || promised.Count != accuracy.Count {
		t.Errorf("of %.4f was promised %+v", truth, promised)
	}
	checkMaturity(t, all, findings, hour)
	kept := r.forecasts.models["m"].forecaster
	if next := estimates(t, r, db, "m", now.Add(time.Hour)); len(next) != len(findings) || r.forecasts.models["m"].forecaster != kept {
		t.Errorf("%d findings an hour later, want %d by the calibration of the day", len(next), len(findings))
	}
	if again := estimates(t, r, db, "m", now.Add(66*time.Minute)); len(again) != len(findings) {
		t.Errorf("%d findings six minutes after that, want the same %d", len(again), len(findings))
	}
}

// A page may rest on a measure only where its own record proves it, and the words of
// each say what its own record is, and whose.
func TestTheVerdictOfAMeasureIsByItsOwnRecord(t *testing.T) {
	broken := estimate.Record{Windows: 20, Held: 9, Widen: 2.5, Says: "9 of the last 20 intervals held, fewer than promised: widened 2.50 times"}
	proven := estimate.Record{Windows: 20, Held: 19, Widen: 1, Proven: true, Says: "19 of the last 20 intervals held, as promised"}
	between := metric.Interval{Low: 0.7, High: 0.9}
	a := forecast.Answer{
		Question: forecast.Question{Window: day, Deploy: "v1"}, Estimate: estimate.Estimate{Predictions: 100, Known: 50}, Record: proven,
		Values:  []metric.Value{{Metric: metric.Accuracy, Value: 0.8, Interval: between, State: metric.OK}, {Metric: metric.Precision, Value: 0.8, Interval: between, State: metric.OK}},
		Records: map[metric.ID]estimate.Record{metric.Accuracy: proven, metric.Precision: broken}, Assumes: []string{"what both rest on"},
	}
	var l forecasts
	findings := l.estimateFindings(&forecastOf{task: forecast.Binary}, a)
	for i, want := range []struct{ verdict, assumes string }{
		{plumbline.VerdictOK, "what both rest on; the record of accuracy over all deploys: " + proven.Says},
		{plumbline.VerdictInsufficient, "what both rest on; the record of precision over all deploys: " + broken.Says},
	} {
		if f := findings[i]; f.Verdict != want.verdict || f.Assumes != want.assumes || f.Low != 0.7 {
			t.Errorf("%s is %s, which assumes %q, want %s, %q", f.Measure, f.Verdict, f.Assumes, want.verdict, want.assumes)
		}
	}
	if r := l.record(&forecastOf{task: forecast.Binary}, a); r.Verdict != plumbline.VerdictOK || r.Count != 20 || !strings.HasSuffix(r.Assumes, "the record of accuracy over all deploys: "+proven.Says) {
		t.Errorf("the record is %+v, want that of accuracy", r)
	}
}

// A producer that sends half of the doubtful requests and a twelfth of the others:
// the estimate is that of all requests, most of which were never seen, and its
// record is held against the same sample. Without the weights it is far off.
func TestTheEstimateOfASampleIsThatOfAllRequests(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	held, plain := 0, 0.0
	for seed := range uint64(2) {
		random := rand.New(rand.NewPCG(100+seed, 66))
		all := lateWorld(random, hour.Add(-18*day), now, 90)
		var sample []late
		for _, p := range all {
			p.weight = 12
			if p.lead > 30 {
				p.weight = 2
			}
			if random.Int64N(p.weight) == 0 {
				sample = append(sample, p)
			}
		}
		model := plumbline.Model(fmt.Sprint("sampled ", seed))
		storeLate(t, db, model, sample, now)
		r := newRunner(t, db)
		estimates(t, r, db, model, now)
		for back := range 6 {
			end := hour.Add(-time.Duration(back) * day)
			truth, _, _ := truthOf(all, end)
			alike, labelled, _ := truthOf(sample, end)
			plain += (alike - truth) / 12
			a, err := r.forecasts.models[model].forecaster.Ask(t.Context(), forecast.Question{End: end, Window: day, Deploy: "v1"})
			if err != nil || a.Why != "" {
				t.Fatal(a.Why, err)
			}
			if a.Estimate.Holds(truth) && a.Estimate.Width() < 0.2 && a.Estimate.Known == labelled {
				held++
			}
			if back == 0 && (a.Record.Windows < 10 || !a.Record.Proven || !(a.Estimate.Sampling > 0)) {
				t.Errorf("%+v by the record %+v", a.Estimate, a.Record)
			}
		}
	}
	if held < 11 {
		t.Errorf("of 12 intervals %d hold", held)
	}
	if plain > -0.03 {
		t.Errorf("without weights it is off by %.3f: the test tests nothing", plain)
	}
}

// truthOf is the accuracy of the day that ends at end, and what of it was known
// then.
func truthOf(all []late, end time.Time) (truth float64, labelled, correct int64) {
	n := 0.0
	for _, p := range all {
		if p.at.Before(end.Add(-day)) || !p.at.Before(end) {
			continue
		}
		n++
		right := int64(0)
		if p.predicted == p.truth {
			right = 1
		}
		truth += float64(right)
		if p.known.Before(end) {
			labelled, correct = labelled+1, correct+right
		}
	}
	return truth / n, labelled, correct
}

func checkMaturity(t *testing.T, all []late, findings []Finding, hour time.Time) {
	t.Helper()
	in := pick(t, findings, plumbline.SignalMaturity, plumbline.MeasureLabelsIn, day, "v1")
	var known, n float64
	var waits []time.Duration
	for _, p := range all {
		if p.at.Before(hour.Add(-day)) || !p.at.Before(hour) {
			continue
		}
		n++
		if p.known.Before(hour) {
			known++
		}
		waits = append(waits, p.known.Sub(hour))
	}
	if math.Abs(in.Value-known/n) > 0.02 || !(in.Low <= known/n+1e-9 && known/n <= in.High) || in.Verdict != plumbline.VerdictOK {
		t.Errorf("maturity %+v, want %.3f", in, known/n)
	}
	slices.Sort(waits)
	want := waits[int(math.Ceil(0.9*n))-1]
	if at := pick(t, findings, plumbline.SignalMaturity, plumbline.MeasureMatureIn, day, "v1"); math.Abs(at.Value-want.Seconds()) > 2*3600 {
		t.Errorf("mature in %.1f h, want %.1f h", at.Value/3600, want.Hours())
	}
}

// Labels that are still to come change nothing that is said now, on the service's
// own reader.
func TestTheFutureIsNotSeen(t *testing.T) {
	db := startDB(t)
	hour := now.Truncate(time.Hour)
	at := hour.Add(-4 * day)
	all := lateWorld(rand.New(rand.NewPCG(62, 62)), hour.Add(-14*day), now, 8)
	turned := slices.Clone(all)
	changed := 0
	for i, p := range turned {
		if !p.known.Before(at) {
			turned[i].truth = classes[1-slices.Index(classes, p.truth)]
			changed++
		}
	}
	if changed < 800 {
		t.Fatalf("only %d labels are of the future", changed)
	}
	var answers [2]forecast.Answer
	for i, world := range [][]late{all, turned} {
		model := plumbline.Model([]string{"as it is", "turned round"}[i])
		storeLate(t, db, model, world, now)
		r := newRunner(t, db)
		f := countAll(t, r, db, model)
		// The strata are chosen by when labels come, which is the same.
		fresh := forecast.New(r.cfg.forecast(model), r.forecasts.reader, f.scope, f.task)
		var err error
		if answers[i], err = fresh.Ask(context.Background(), forecast.Question{End: at, Window: day, Deploy: "v1"}); err != nil {
			t.Fatal(err)
		}
		answers[i].Fit = nil // the words of assumes say what it is
	}
	if answers[0].Why != "" || answers[0].Estimate.Known == 0 || answers[0].Record.Windows < 5 {
		t.Fatalf("there is no answer to compare: %+v", answers[0])
	}
	if !reflect.DeepEqual(answers[0], answers[1]) {
		t.Errorf("labels of the future change the answer:\n%+v\n%+v", answers[0], answers[1])
	}
}

func TestLabelsThatContradictAreSuspectedConceptDrift(t *testing.T) {
	db := startDB(t)
	r := rand.New(rand.NewPCG(63, 63))
	all := lateWorld(r, now.Add(-16*day), now, 15)
	for i, p := range all {
		if p.at.After(now.Add(-3*day)) && r.IntN(3) == 0 {
			all[i].truth = classes[1-slices.Index(classes, p.truth)]
		}
	}
	storeLate(t, db, "m", all, now)
	findings := estimates(t, newRunner(t, db), db, "m", now)
	f := pick(t, findings, plumbline.SignalConceptDrift, plumbline.MeasureEstimateGap, day, "v1")
	if f.Verdict != plumbline.VerdictBreach || f.Value > -0.03 || f.P > 0.001 || f.Reference != plumbline.ReferenceEstimate {
		t.Errorf("%+v, want suspected concept drift", f)
	}
}

// A regression is estimated by its error model.
func TestTheErrorOfARegressionIsEstimated(t *testing.T) {
	db := startDB(t)
	r := rand.New(rand.NewPCG(64, 64))
	hour := now.Truncate(time.Hour)
	var asked, heard []map[string]any
	sum, n := 0.0, 0.0
	for i, at := 0, hour.Add(-16*day); at.Before(hour); i, at = i+1, at.Add(5*time.Minute) {
		size := 10 + 90*r.Float64()
		miss := size / 10 * r.NormFloat64()
		if at.After(hour.Add(-day)) || at.Equal(hour.Add(-day)) {
			sum, n = sum+math.Abs(miss), n+1
		}
		id := map[string]any{"model": "r", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i), "ts": at.UnixMilli(), "known": at.UnixMilli(), "predicted_value": size, "weight": 1, "_offset": i}
		asked = append(asked, id)
		if known := at.Add(time.Duration(20+r.IntN(20)) * time.Hour); known.Before(hour) {
			heard = append(heard, map[string]any{"model": "r", "deploy_hash": "v1", "stage": "production", "prediction_id": fmt.Sprint(i), "ts": at.UnixMilli(), "known": known.UnixMilli(),
				"predicted_value": size, "label_value": size + miss, "holds": 1, "truth_value": size + miss, "labelled": 1, "requests": 1, "version": 1})
		}
	}
	insert(t, db, "predictions", asked)
	insert(t, db, "outcomes", heard)
	storeLate(t, db, "r", nil, now)
	findings := estimates(t, newRunner(t, db), db, "r", now)
	f := pick(t, findings, plumbline.SignalEstimatedQuality, "mae", day, "v1")
	if truth := sum / n; !(f.Low <= truth && truth <= f.High) || f.High-f.Low > 2 || f.Coverage > 0.3 {
		t.Errorf("%+v, truth %.3f", f, truth)
	}
	promised := pick(t, findings, plumbline.SignalConceptDrift, plumbline.MeasurePromisedMAE, day, "v1")
	if truth := sum / n; !(promised.Low <= truth && truth <= promised.High) || promised.High-promised.Low > 2 {
		t.Errorf("of %.3f was promised %+v", truth, promised)
	}
}
