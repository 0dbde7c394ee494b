package app

import (
	"errors"
	"strings"
	"testing"
	"time"
)

// Labels that wait while the join gets on are no trouble, however many; those that
// wait while it stands are, and the last error is told.
func TestJoinProbeTellsStandstillFromWork(t *testing.T) {
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var failure error
	p := &joinProbe{failure: func() error { return failure }}
	for i, step := range []struct {
		waiting []unjoined
		want    time.Duration
	}{
		{nil, 0},
		{[]unjoined{{"labels/e/0", 0, 500}, {"labels/e/1", 7, 40}}, 0},
		{[]unjoined{{"labels/e/0", 100, 400}, {"labels/e/1", 7, 41}}, 5 * time.Minute},
		{[]unjoined{{"labels/e/0", 200, 900}, {"labels/e/1", 7, 42}}, 10 * time.Minute},
		{[]unjoined{{"labels/e/0", 200, 900}, {"labels/e/1", 9, 40}}, 5 * time.Minute},
		{nil, 0},
		{[]unjoined{{"labels/e/0", 1100, 1}}, 0},
	} {
		if lag, what := p.judge(step.waiting, began.Add(time.Duration(i)*5*time.Minute)); lag != step.want {
			t.Errorf("step %d: behind by %s, want %s: %s", i, lag, step.want, what)
		}
	}
	failure = errors.New("write outcomes: too many partitions")
	lag, what := p.judge([]unjoined{{"labels/e/0", 1100, 2}}, began.Add(time.Hour))
	if lag != 30*time.Minute || !strings.Contains(what, "2 labels of labels/e/0") || !strings.Contains(what, failure.Error()) {
		t.Errorf("behind by %s: %s", lag, what)
	}
	stored := make(chan struct{})
	p.stored = stored
	if _, _, err := p.lag(t.Context(), began); err == nil {
		t.Error("a ClickHouse that is not there yet knows of no label")
	}
}
