package ask

import (
	"math"
	"testing"

	"github.com/plumbline-slo/plumbline/analyze/quality/metric"
)

// Classes are known once all is read; what lacks one of them is left out.
func TestScoresOfClassesAreMatchedByName(t *testing.T) {
	s := &scored{rows: map[string]*scoredRows{}, number: map[string]int{}}
	want, err := metric.NewScored(2)
	if err != nil {
		t.Fatal(err)
	}
	s.row("", "cat", 1, []string{"cat"}, []float64{0.9})              // no score of the other
	s.row("", "cow", 1, []string{"cat", "dog"}, []float64{0.5, 0.5})  // no class of that name
	s.row("other", "dog", 1, []string{"dog"}, []float64{0.5})         // a part of nothing but those
	s.row("", "dog", 1, []string{"cat", "dog"}, []float64{2, math.E}) // no probabilities
	if err := want.Add([]float64{2, math.E}, 1, 1); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		p, truth := float64(i*7%40)/40, i%2
		s.row("", []string{"cat", "dog"}[truth], 3, []string{"dog", "cat"}, []float64{1 - p, p})
		if err := want.Add([]float64{p, 1 - p}, truth, 3); err != nil {
			t.Fatal(err)
		}
	}
	got, left, err := s.of("")
	if err != nil || left != 2 || len(got) != len(scoredIDs()) {
		t.Fatalf("%d values, %d left out, %v", len(got), left, err)
	}
	for i, w := range want.Values() {
		if g := got[i]; g.Metric != scoredIDs()[i] || g.State != w.State || g.Why != w.Why || !near(g.Value, w.Value) || !near(g.Low, w.Low) || !near(g.High, w.High) {
			t.Errorf("%+v, want %+v", g, w)
		}
	}
	if got, left, err := s.of("other"); got != nil || left != 1 || err != nil {
		t.Errorf("a part without a whole row: %v, %d left out, %v", got, left, err)
	}
}

// A question about more scores than can be held says nothing of them.
func TestTooManyScoresOfClasses(t *testing.T) {
	s := &scored{rows: map[string]*scoredRows{}, number: map[string]int{}, read: mostScores - 3}
	s.row("", "a", 1, []string{"a", "b"}, []float64{1, 0})
	if s.tooMany || len(s.rows) != 1 {
		t.Fatal("refused too soon")
	}
	s.row("", "a", 1, []string{"a", "b"}, []float64{1, 0})
	if !s.tooMany || len(s.rows) != 0 {
		t.Error("they are kept")
	}
}
