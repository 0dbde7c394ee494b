package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/plumbline-slo/plumbline/analyze/quality/history"
	"github.com/plumbline-slo/plumbline/testenv"
)

func waits(partition int32, joinedBefore int64, labels uint64) history.Unjoined {
	return history.Unjoined{Topic: "labels", Epoch: "e", Partition: partition, JoinedBefore: joinedBefore, Labels: labels}
}

// Labels that wait while the join gets on are no trouble, however many; those that
// wait while it stands are, and the last error is told.
func TestJoinProbeTellsStandstillFromWork(t *testing.T) {
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var failure error
	p := &joinProbe{failure: func() error { return failure }}
	for i, step := range []struct {
		waiting []history.Unjoined
		want    time.Duration
	}{
		{nil, 0},
		{[]history.Unjoined{waits(0, 0, 500), waits(1, 7, 40)}, 0},
		{[]history.Unjoined{waits(0, 100, 400), waits(1, 7, 41)}, 5 * time.Minute},
		{[]history.Unjoined{waits(0, 200, 900), waits(1, 7, 42)}, 10 * time.Minute},
		{[]history.Unjoined{waits(0, 200, 900), waits(1, 9, 40)}, 5 * time.Minute},
		{nil, 0},
		{[]history.Unjoined{waits(0, 1100, 1)}, 0},
	} {
		if lag, what := p.judge(step.waiting, began.Add(time.Duration(i)*5*time.Minute)); lag != step.want {
			t.Errorf("step %d: behind by %s, want %s: %s", i, lag, step.want, what)
		}
	}
	failure = errors.New("write outcomes: too many partitions")
	lag, what := p.judge([]history.Unjoined{waits(0, 1100, 2)}, began.Add(time.Hour))
	if lag != 30*time.Minute || !strings.Contains(what, "2 labels of labels/e/0") || !strings.Contains(what, failure.Error()) {
		t.Errorf("behind by %s: %s", lag, what)
	}
	failure = nil
	if _, what := p.judge([]history.Unjoined{waits(0, 1100, 2)}, began.Add(time.Hour)); !strings.Contains(what, "Its last step here did not fail") {
		t.Error(what)
	}
	stored := make(chan struct{})
	p.stored = stored
	if _, _, err := p.lag(t.Context(), began); err == nil {
		t.Error("a ClickHouse that is not there yet knows of no label")
	}
}

// deaf never answers.
type deaf struct{}

func (deaf) Query(ctx context.Context, _ string, _ ...any) (driver.Rows, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// A question that hangs is given up long before the limit, and the next one that is
// answered says how it stands.
func TestJoinProbeAsksAgainBeforeItsLimit(t *testing.T) {
	if 10*joinAskedWithin > joinLimit {
		t.Errorf("one question takes up to %s of %s", joinAskedWithin, joinLimit)
	}
	env, stored := testenv.Start(t, testenv.Setup{}), make(chan struct{})
	close(stored)
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := &joinProbe{reader: history.Reader{Conn: deaf{}}, stored: stored, failure: func() error { return nil }, within: 10 * time.Millisecond, seen: map[string]progress{}}
	if _, _, err := p.lag(t.Context(), began); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("no answer: %v", err)
	}
	p.reader.Conn, p.within = env.DB.Conn(), joinAskedWithin
	look := func(after, want time.Duration) {
		t.Helper()
		if lag, what, err := p.lag(t.Context(), began.Add(after)); err != nil || lag != want {
			t.Errorf("after %s: %s, %q, %v; want %s", after, lag, what, err, want)
		}
	}
	look(time.Minute, 0)
	testenv.Insert(t, env.DB, "batches", []map[string]any{{"topic": "labels", "epoch": "e", "partition": 0, "first": 0, "last": 9, "table": "labels", "rows": 10, "events": 10}})
	look(2*time.Minute, 0)
	look(5*time.Minute, 3*time.Minute)
	testenv.Insert(t, env.DB, "join_cursor", []map[string]any{{"topic": "labels", "epoch": "e", "partition": 0, "done": 9}})
	look(6*time.Minute, 0)
}
