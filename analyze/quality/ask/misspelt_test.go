package ask

import (
	"strings"
	"testing"
	"time"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// misspelt asks about classes and features that nothing is of: each answer names them,
// and nothing is judged by them.
func misspelt(t *testing.T, asker *Asker) {
	whole := Question{Model: "loan", From: begin, To: end}
	ask := func(q Question) Answer {
		t.Helper()
		answer, err := asker.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return answer
	}
	right := ask(whole).Parts[0].Values[0]
	const why = `no label or prediction is "froud"; classes seen: "fraud", "ok"`
	for name, rollups := range map[string]bool{"rows": false, "rollups": true} {
		q := whole
		q.Own.Positive, q.Rollups = "froud", rollups
		for _, v := range ask(q).Parts[0].Values {
			switch {
			case v.Metric == metric.Accuracy && (v.State != metric.OK || !near(v.Value.Value, right.Value.Value)):
				t.Errorf("%s: accuracy %+v, want %+v", name, v, right)
			case v.Metric != metric.Accuracy && v.Metric != metric.BusinessValue && v.Metric != "missed_amount" && (v.State != metric.Insufficient || v.Why != why):
				t.Errorf("%s: %+v, want insufficient: %s", name, v, why)
			}
		}
	}
	q := whole
	q.Own.Positive, q.Fairness, q.Why, q.Metrics = "froud", true, &Since{}, []metric.ID{metric.Specificity}
	q.From, q.Why.From, q.Why.To = begin.Add(4*time.Hour), begin, begin.Add(4*time.Hour)
	if a := ask(q); a.Fairness[0].Missing != why || a.Why.Missing != why {
		t.Errorf("fairness %+v, why %+v", a.Fairness, a.Why)
	}
	cats := Question{Model: "pets", From: begin, To: end, Metrics: []metric.ID{metric.Accuracy}}
	want := ask(cats).Parts[0].Values[0]
	cats.Own.Positive = "cat"
	if v := ask(cats).Parts[0].Values[0]; !near(v.Value.Value, want.Value.Value) {
		t.Errorf("of three classes: accuracy %g against one of them, %g of all", v.Value.Value, want.Value.Value)
	}
	numbers := ask(Question{Model: "price", From: begin, To: end, Own: Declaration{Task: Binary, Positive: "1"}, Metrics: []metric.ID{metric.Recall}})
	if v := numbers.Parts[0].Values[0]; v.State != metric.Insufficient || v.Why != `predictions are numbers, not classes: send "1" or true` || strings.Contains(strings.Join(numbers.Notes, "\n"), "expired") {
		t.Errorf("numbers as classes: %+v, %v", v, numbers.Notes)
	}
	for by, expression := range map[Grouping]string{ByNothing: "avg(numbers['amont'])", ByDeploy: "avg(score) + avg(numbers['amont'])"} {
		q := whole
		q.Expression, q.By = expression, by
		if v := ask(q).Parts[0].Values[0]; v.State != metric.Insufficient || v.Why != `no labelled prediction of this window has the numeric feature "amont"` {
			t.Errorf("%s: %+v", expression, v)
		}
	}
}

// A class that values are declared of and that never came may be a misspelt one.
func TestWorthOfClassesThatNeverCame(t *testing.T) {
	matrix := map[pair]int64{{"kept", "kept"}: 500, {"kept", "canceled"}: 250, {"canceled", "canceled"}: 200, {"canceled", "kept"}: 50}
	for _, test := range []struct {
		what, why string
		task      Task
		values    []Worth
	}{
		{"all named", "", Binary, []Worth{{"canceled", "kept", -20}, {"canceled", "canceled", 5}}},
		{"a misspelt label", `values are declared of "not_canceled", which no label or prediction is; classes seen: "canceled", "kept"`, Binary,
			[]Worth{{"canceled", "not_canceled", -20}, {"canceled", "canceled", 5}}},
		{"of several classes", `values are declared of "keep", which`, Multiclass, []Worth{{"canceled", "keep", -20}, {"canceled", "canceled", 5}, {"kept", "canceled", -1}}},
		{"every outcome that came has a value", "", Multiclass, []Worth{{"kept", "kept", 0}, {"canceled", "kept", -20}, {"canceled", "canceled", 5}, {"kept", "canceled", -1}, {"moved", "kept", 1}}},
	} {
		part := newTally()
		part.matrix, part.rows, part.weights, part.squares = matrix, 1000, 1000, 1000
		values, err := part.values(Declaration{Task: test.task, Positive: "canceled", Values: test.values}, vocabularyOf(map[string]*tally{"": part}))
		if err != nil {
			t.Fatal(err)
		}
		v := values[len(values)-1]
		if v.Metric != metric.BusinessValue || !strings.HasPrefix(v.Why, test.why) || (v.State == metric.OK) != (test.why == "") {
			t.Errorf("%s: %+v, want %q", test.what, v, test.why)
		}
	}
}
