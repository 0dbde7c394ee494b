package ask

import (
	"math"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// What a prediction is worth needs labels of every truth that the values tell apart,
// and reaches to outcomes that were declared and never came.
func TestWorthOfTallies(t *testing.T) {
	fraud := []Worth{{"fraud", "fraud", 120}, {"fraud", "ok", -5}, {"ok", "fraud", -400}}
	animals := []Worth{{"cat", "dog", -3}, {"dog", "cat", -1}, {"dog", "dog", 2}}
	for _, test := range []struct {
		what   string
		d      Declaration
		matrix map[pair]int64
		state  metric.State
		least  float64 // what the low end must be below
	}{
		{"no fraud", Declaration{Task: Binary, Positive: "fraud", Values: fraud}, map[pair]int64{{"ok", "ok"}: 100}, metric.Insufficient, 0},
		{"one fraud", Declaration{Task: Binary, Positive: "fraud", Values: fraud}, map[pair]int64{{"ok", "ok"}: 59, {"fraud", "ok"}: 1}, metric.Insufficient, 0},
		{"fraud", Declaration{Task: Binary, Positive: "fraud", Values: fraud}, map[pair]int64{{"ok", "ok"}: 970, {"fraud", "fraud"}: 30}, metric.OK, 3.6 - 400*2.9/1000},
		{"others than fraud have several names", Declaration{Task: Binary, Positive: "fraud", Values: fraud[:1]},
			map[pair]int64{{"ok", "ok"}: 500, {"unsure", "ok"}: 3, {"fraud", "fraud"}: 30}, metric.OK, 6},
		{"an answer costs, whatever the truth", Declaration{Task: Binary, Positive: "fraud", Values: []Worth{{"fraud", "fraud", -1}, {"fraud", "ok", -1}}},
			map[pair]int64{{"ok", "ok"}: 100}, metric.OK, -2.9 / 100},
		{"no dog", Declaration{Task: Multiclass, Values: animals}, map[pair]int64{{"cat", "cat"}: 300, {"hen", "hen"}: 300}, metric.Insufficient, 0},
		{"nine hens", Declaration{Task: Multiclass, Values: animals}, map[pair]int64{{"cat", "cat"}: 300, {"dog", "dog"}: 300, {"hen", "hen"}: 9}, metric.Insufficient, 0},
		{"rare hens and cows are alike", Declaration{Task: Multiclass, Values: animals}, map[pair]int64{{"cat", "cat"}: 300, {"dog", "dog"}: 300, {"hen", "hen"}: 9, {"cow", "hen"}: 9}, metric.OK, 0.95},
		{"no labels", Declaration{Task: Binary, Positive: "fraud", Values: fraud}, nil, metric.Missing, 0},
	} {
		v := (&tally{matrix: test.matrix}).worth(test.d, metric.Each)
		if v.State != test.state || (v.State == metric.OK) != (v.Why == "") {
			t.Errorf("%s: %+v, want %s", test.what, v, test.state)
		}
		if v.State == metric.OK && !(v.Low < test.least && v.Holds(v.Value)) {
			t.Errorf("%s: %+v, want a low end below %g", test.what, v, test.least)
		}
		if v.State == metric.Insufficient && math.IsNaN(v.Value) {
			t.Errorf("%s: the point is lost: %+v", test.what, v)
		}
	}
}

// A jackknife whose replicates are all the same says nothing of other labels.
func TestReplicatesThatAreTheSameAreNoInterval(t *testing.T) {
	for _, value := range []float64{0, 1, 0.3} {
		var r [groups + 1]float64
		for i := range r {
			r[i] = value
		}
		r[3] += value * 1e-16 // as sums are rounded
		if v := jackknife("missed", r, counted{labelled: 5000, rows: 5000}); v.State != metric.Insufficient || v.Why == "" || !math.IsNaN(v.Low) || v.Value != value {
			t.Errorf("%+v", v)
		}
		r[3] += 0.1
		if v := jackknife("missed", r, counted{labelled: 5000, rows: 5000}); v.State != metric.OK || !(v.Width() > 0.1) {
			t.Errorf("%+v", v)
		}
	}
}
