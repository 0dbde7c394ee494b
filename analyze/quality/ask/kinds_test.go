package ask

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
	"github.com/plumbline-slo/plumbline/storage"
)

// said is one label soon after the prediction, with its value corrected for some.
func said(p *prediction, offset *int64, class string, value float64, corrected bool) {
	if corrected {
		p.labels = append(p.labels, label{time: p.at.Add(time.Second), known: p.at.Add(time.Minute), class: class, value: value + 1, offset: *offset})
		*offset++
	}
	p.labels = append(p.labels, label{time: p.at.Add(time.Minute), known: p.at.Add(2 * time.Minute), class: class, value: value, offset: *offset})
	*offset++
}

func someTime(random *rand.Rand) time.Time {
	return begin.Add(time.Duration(random.Int64N(int64(end.Sub(begin)))).Truncate(time.Millisecond))
}

func regressions(t *testing.T, asker *Asker, world []prediction) {
	answer, err := asker.Ask(t.Context(), Question{Model: "price", From: begin, To: end})
	if err != nil {
		t.Fatal(err)
	}
	var (
		f, y []float64
		e    metric.Errors
	)
	for _, p := range world {
		l, _ := p.won(far)
		f, y = append(f, p.value), append(y, l.value)
		e.Add(p.value, l.value)
	}
	r2, err := metric.Determination(f, y)
	if err != nil {
		t.Fatal(err)
	}
	pinball, err := metric.PinballLoss(f, y, 0.9)
	if err != nil {
		t.Fatal(err)
	}
	want := map[metric.ID]metric.Value{}
	for _, v := range append(e.Values(), r2, pinball) {
		want[v.Metric] = v
	}
	if len(answer.Parts[0].Values) != len(want) {
		t.Errorf("%d values, want %d", len(answer.Parts[0].Values), len(want))
	}
	check(t, "regression", answer.Parts[0], want, int64(len(world)), len(world))
}

// prices are those of a regression.
func prices(random *rand.Rand) []prediction {
	var all []prediction
	var offset int64
	for i := range 500 {
		p := prediction{id: fmt.Sprint("p", i), deploy: "a", stage: "production", region: "eu", at: someTime(random), weight: 1, score: math.NaN()}
		truth := 1000 + math.Round(100*random.NormFloat64())
		p.value = truth + math.Round(20*random.NormFloat64())
		said(&p, &offset, "", truth, random.IntN(4) == 0)
		all = append(all, p)
	}
	return all
}

// searches are results of ranked lists.
func searches(random *rand.Rand) []prediction {
	var all []prediction
	var offset int64
	for q := range 60 {
		at, weight := someTime(random), 1+2*random.IntN(2) // sampled by lists
		for i := range 3 + random.IntN(6) {
			p := prediction{id: fmt.Sprintf("q/%d/%d", q, i), deploy: "a", stage: "production", region: "eu", at: at, weight: weight, value: math.NaN(), score: random.NormFloat64(), predicted: "shown"}
			said(&p, &offset, "", float64(max(random.IntN(6)-2, 0)), false)
			if q == 0 {
				p.labels[0].value = 0
			}
			all = append(all, p)
		}
	}
	return all
}

func rankings(t *testing.T, asker *Asker, world []prediction) {
	answer, err := asker.Ask(t.Context(), Question{Model: "search", From: begin, To: end})
	if err != nil {
		t.Fatal(err)
	}
	lists := map[string][]prediction{}
	for _, p := range world {
		var q, i int
		if _, err := fmt.Sscanf(p.id, "q/%d/%d", &q, &i); err != nil {
			t.Fatal(err)
		}
		lists[fmt.Sprint(q)] = append(lists[fmt.Sprint(q)], p)
	}
	r, err := metric.NewRanking(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lists {
		sort.Slice(l, func(i, j int) bool { return l[i].score > l[j].score })
		var relevance []float64
		for _, p := range l {
			relevance = append(relevance, p.labels[0].value)
		}
		r.AddTimes(relevance, int64(l[0].weight))
	}
	requests := 0
	for _, p := range world {
		requests += p.weight
	}
	want := map[metric.ID]metric.Value{}
	for _, v := range r.Values() {
		want[v.Metric] = v
	}
	if r.Bare() == 0 || len(answer.Parts[0].Values) != 4 {
		t.Errorf("%d bare lists, %d values", r.Bare(), len(answer.Parts[0].Values))
	}
	check(t, "ranking", answer.Parts[0], want, int64(requests), len(world))
}

// pets are classes with a score each.
func pets(random *rand.Rand) []prediction {
	var all []prediction
	var offset int64
	classes := []string{"cat", "cow", "dog", "hen"}
	for i := range 400 {
		p := prediction{id: fmt.Sprint("z", i), deploy: "a", stage: "production", region: "eu", at: someTime(random), weight: 1, value: math.NaN(), score: math.NaN(), numbers: map[string]float64{"p_size": math.NaN()}}
		delete(p.numbers, "p_size")
		truth := random.IntN(4)
		best := 0
		for c, name := range classes {
			p.numbers["p_"+name] = math.Round(10*random.Float64()) / 10 // ties
			if c == truth {
				p.numbers["p_"+name] += 0.3
			}
			if p.numbers["p_"+name] > p.numbers["p_"+classes[best]] {
				best = c
			}
		}
		p.numbers["weight"] = 7
		p.predicted = classes[best]
		said(&p, &offset, classes[truth], math.NaN(), false)
		all = append(all, p)
	}
	return all
}

func manyClasses(t *testing.T, asker *Asker, world []prediction) {
	answer, err := asker.Ask(t.Context(), Question{Model: "pets", From: begin, To: end})
	if err != nil {
		t.Fatal(err)
	}
	classes := []string{"cat", "cow", "dog", "hen"}
	m := make(metric.Matrix, 4)
	for i := range m {
		m[i] = make([]int64, 4)
	}
	var hits int64
	scored, err := metric.NewScored(4)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range world {
		truth := slices.Index(classes, p.labels[0].class)
		m[truth][slices.Index(classes, p.predicted)]++
		var scores []float64
		for _, c := range classes {
			scores = append(scores, p.numbers["p_"+c])
		}
		if metric.TopKHit(scores, truth, 2) {
			hits++
		}
		if err := scored.Add(scores, truth, 1); err != nil {
			t.Fatal(err)
		}
	}
	values, err := m.Values()
	if err != nil {
		t.Fatal(err)
	}
	want := map[metric.ID]metric.Value{}
	for _, v := range append(append(values, metric.TopKAccuracy(hits, int64(len(world)))), scored.Values()...) {
		want[v.Metric] = v
	}
	if len(answer.Parts[0].Values) != 13 {
		t.Errorf("%d values", len(answer.Parts[0].Values))
	}
	if area := answer.Parts[0].Values[6]; area.Metric != metric.MacroROCAUC || area.State != metric.OK || area.Value.Value < 0.6 {
		t.Errorf("%+v", area)
	}
	check(t, "classes", answer.Parts[0], want, int64(len(world)), len(world))
}

// Without a declaration the labels say what the task is.
func guesses(t *testing.T, asker *Asker) {
	bare, err := New(asker.conn, nil)
	if err != nil {
		t.Fatal(err)
	}
	for model, task := range map[plumbline.Model]Task{"loan": Multiclass, "price": Regression, "nobody": Multiclass} {
		answer, err := bare.Ask(t.Context(), Question{Model: model, From: begin, To: end})
		if err != nil || answer.Task != task || len(answer.Notes) == 0 {
			t.Errorf("%s: %s, %v, %v", model, answer.Task, answer.Notes, err)
		}
		if model != "nobody" {
			continue
		}
		for _, v := range answer.Parts[0].Values {
			if v.State != metric.Missing {
				t.Errorf("a model without labels: %+v", v)
			}
		}
	}
	answer, err := bare.Ask(t.Context(), Question{Model: "loan", From: begin, To: end, Own: Declaration{Positive: "fraud"}, Metrics: []metric.ID{metric.Recall}})
	if err != nil || answer.Task != Binary || answer.Parts[0].Values[0].State != metric.OK {
		t.Errorf("%+v, %v", answer, err)
	}
}

// switched is a model whose producer sent 1 and 0 as numbers for three fifths of the
// window, and as classes since it was told.
func switched() []prediction {
	var all []prediction
	var offset int64
	for i := range 500 {
		p := prediction{id: fmt.Sprint("s", i), deploy: "a", stage: "production", region: "eu", at: begin.Add(time.Duration(i) * end.Sub(begin) / 500).Truncate(time.Millisecond), weight: 1, value: math.NaN(), score: math.NaN()}
		class, value := "", float64(i%2)
		if p.value = value; i >= 300 {
			class, value, p.value, p.predicted = fmt.Sprint(i%2), math.NaN(), math.NaN(), fmt.Sprint(i%2)
		}
		said(&p, &offset, class, value, false)
		all = append(all, p)
	}
	return all
}

// kindsMixed: only where nearly all predictions are numbers is their producer told to
// send classes; of a mixture it is said how many are, and what classes have expired are
// in the rollups.
func kindsMixed(t *testing.T, db *storage.DB, asker *Asker) {
	declared := Declaration{Task: Binary, Positive: "1"}
	recall := func(q Question) (Value, string) {
		t.Helper()
		q.Model, q.Metrics, q.To = "switch", []metric.ID{metric.Recall}, end
		if q.Own.Task == "" {
			q.Own = declared
		} else {
			q.Metrics = []metric.ID{metric.MAE}
		}
		answer, err := asker.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Parts[0].Values[0], strings.Join(answer.Notes, "\n")
	}
	for _, test := range []struct {
		what string
		q    Question
		why  string
	}{
		{"mixed", Question{From: begin}, expiredRows + ": of those that are kept 60.0 % are numbers, not classes"},
		{"mixed, by segments", Question{From: begin, By: BySegment}, expiredRows + ": of those that are kept 60.0 % are numbers, not classes"},
		{"mixed, for the other task", Question{From: begin, Own: Declaration{Task: Regression}}, expiredRows + ": of those that are kept 40.0 % are classes, not numbers"},
		{"all are classes", Question{From: begin.Add(5 * time.Hour)}, ""},
	} {
		v, notes := recall(test.q)
		if v.Why != test.why || (v.State == metric.OK) != (test.why == "") || strings.Contains(notes, "rollups") {
			t.Errorf("%s: %+v, %q, want %q", test.what, v, notes, test.why)
		}
	}
	const advice = `predictions are numbers, not classes: send "1" or true`
	early := Question{Model: "switch", From: begin, To: begin.Add(4 * time.Hour), Own: declared, Metrics: []metric.ID{metric.Recall}}
	for _, by := range []Grouping{ByNothing, BySegment, ByHour} {
		early.By = by
		if a, err := asker.Ask(t.Context(), early); err != nil || a.Parts[0].Values[0].Why != advice {
			t.Errorf("by %q, all are numbers: %+v, %v", by, a, err)
		}
	}
	// Most classes have expired, so that there are more rows of numbers. The rollups hold
	// the classes.
	want, _ := recall(Question{From: begin.Add(5 * time.Hour)})
	if err := db.Conn().Exec(t.Context(), "ALTER TABLE outcomes DELETE WHERE model = 'switch' AND ts >= parseDateTimeBestEffort('"+instant(begin.Add(5*time.Hour))+"', 'UTC') AND ts < parseDateTimeBestEffort('"+instant(end.Add(-time.Minute))+"', 'UTC') SETTINGS mutations_sync = 1"); err != nil {
		t.Fatal(err)
	}
	if got, notes := recall(Question{From: begin.Add(5 * time.Hour)}); got.State != metric.OK || !near(got.Value.Value, want.Value.Value) || !strings.Contains(notes, "from the hourly rollups") {
		t.Errorf("expired: %+v, %q, want %+v", got, notes, want)
	}
	hours := Question{Model: "switch", From: begin.Add(4 * time.Hour), To: end, Own: declared, Metrics: []metric.ID{metric.Recall}, By: ByHour}
	if a, err := asker.Ask(t.Context(), hours); err != nil || len(a.Parts) != 4 || a.Parts[0].Values[0].State == metric.OK || a.Parts[2].Values[0].State != metric.OK {
		t.Errorf("hours of which the first is mixed: %+v, %v", a.Parts, err)
	}
	// Nearly all that are kept are numbers, but not nearly all that were labelled.
	if got, notes := recall(Question{From: begin.Add(time.Minute)}); got.State != metric.Insufficient || strings.Contains(got.Why, "send") || !strings.Contains(got.Why, "95.5 % are numbers") {
		t.Errorf("numbers are left: %+v, %q", got, notes)
	}
}

// Where no label is in yet, the metrics that are asked for say what a model without a
// declared task is: they are missing, and not those of another kind of model.
func TestMetricsWithoutLabelsAreMissing(t *testing.T) {
	db, _ := startBoth(t)
	asked, err := New(db.Conn(), map[plumbline.Model]Declaration{"price": {Metrics: []metric.ID{metric.MAE}}, "search": {}})
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []Question{
		{Model: "price", From: begin, To: end, Rollups: true},
		{Model: "search", From: begin, To: end, Metrics: []metric.ID{metric.NDCG}},
		{Model: "animal", From: begin, To: end, Metrics: []metric.ID{metric.MacroF1}},
	} {
		answer, err := asked.Ask(t.Context(), q)
		if err != nil {
			t.Errorf("%s: %v", q.Model, err)
			continue
		}
		if v := answer.Parts[0].Values; len(v) != 1 || v[0].State != metric.Missing {
			t.Errorf("%s: %+v", q.Model, v)
		}
	}
	if _, err := asked.Ask(t.Context(), Question{Model: "price", From: begin, To: end, Metrics: []metric.ID{metric.F1}}); err == nil {
		t.Error("f1 of a model without a positive class is said to be known")
	}
}
