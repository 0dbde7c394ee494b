package count

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// burning is an objective on PromQL that burns, in a pair of hours and one of days.
func burning(name string) (plumbline.Objective, constants) {
	o := objective(name, plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: "all"}, nil)
	o.Pairs = []plumbline.WindowPair{
		{Severity: plumbline.SeverityPage, Long: time.Hour, Short: 5 * time.Minute, Factor: 2},
		{Severity: plumbline.SeverityTicket, Long: 72 * time.Hour, Short: 6 * time.Hour, Factor: 1},
	}
	return o, constants{"bad": 9, "all": 10}
}

// minutesCounted returns how many rows, minutes and events are counted of an indicator.
func minutesCounted(tb testing.TB, db *storage.DB, id plumbline.SLIID) string {
	tb.Helper()
	var rows, minutes, events uint64
	row := db.Conn().QueryRow(tb.Context(), "SELECT count(), uniqExact(time), sum(total) FROM sli FINAL WHERE sli = {sli:String}", clickhouse.Named("sli", string(id)))
	if err := row.Scan(&rows, &minutes, &events); err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprint(rows, " ", minutes, " ", events)
}

// The last hours of a statement that is new are known after one look, and longer windows
// when they are whole; a process that is killed in between counts all of it, once.
func TestANewStatementIsCountedTheNewestFirst(t *testing.T) {
	db := startDB(t)
	o, promql := burning("new")
	id, objectives := o.SLO.SLIID(), []plumbline.Objective{o}
	verdicts := func(c *Counter, now time.Time) string {
		found, err := NewBook(c).At(t.Context(), objectives, now)
		if err != nil || len(found) != 1 {
			t.Fatal(found, err)
		}
		return found[0].Counted[0].Verdict + " " + found[0].Counted[1].Verdict
	}
	const soon, all = plumbline.VerdictBreach + " " + plumbline.VerdictMissing, plumbline.VerdictBreach + " " + plumbline.VerdictBreach
	for range 2 { // the first process is killed
		c := New(DefaultConfig(), db, nil, promql)
		if err := c.Step(t.Context(), objectives, origin); err != nil {
			t.Fatal(err)
		}
		if got := verdicts(c, origin); got != soon {
			t.Errorf("after one look it is %s, want %s", got, soon)
		}
		if left, of := c.Left(origin), c.Uncounted(objectives, origin); left != 166*time.Hour || of["new"] != left {
			t.Errorf("%s are left, %v", left, of)
		}
		for c.Left(origin) > 100*time.Hour {
			if err := c.fillByTime(t.Context(), id, o.SLO, origin); err != nil {
				t.Fatal(err)
			}
		}
		if got := verdicts(c, origin); got != soon {
			t.Errorf("with %s left it is %s, want %s", c.Left(origin), got, soon)
		}
		if _, after := versions(t, db, id, 0); after != 0 {
			t.Errorf("%d counts say that everything is", after)
		}
	}
	c := New(DefaultConfig(), db, nil, promql)
	count(t, c, objectives, origin)
	if got := verdicts(c, origin); got != all {
		t.Errorf("counted as a whole it is %s, want %s", got, all)
	}
	if got, want := minutesCounted(t, db, id), "10080 10080 100800000"; got != want {
		t.Errorf("rows, minutes and events %s, want %s", got, want)
	}
	again := New(DefaultConfig(), db, nil, promql)
	if err := again.Step(t.Context(), objectives, origin.Add(time.Minute)); err != nil || again.Left(origin) != 0 {
		t.Errorf("another process begins anew: %s are left, %v", again.Left(origin), err)
	}
	// Where nobody counted for hours, the newest come first as well.
	away := New(DefaultConfig(), db, nil, promql)
	later := origin.Add(9 * time.Hour)
	if err := away.Step(t.Context(), objectives, later); err != nil {
		t.Fatal(err)
	}
	if got := verdicts(away, later); got != soon {
		t.Errorf("nine hours later it is %s, want %s", got, soon)
	}
	count(t, away, objectives, later)
	if got, want := minutesCounted(t, db, id), "10620 10620 106200000"; got != want || verdicts(away, later) != all {
		t.Errorf("rows, minutes and events %s, want %s; %s", got, want, verdicts(away, later))
	}
}

// slow answers what is of so many minutes, and no more.
type slow struct {
	constants
	most  time.Duration
	asked int
}

func (s *slow) Minutes(ctx context.Context, expr string, first, last time.Time) ([]float64, error) {
	s.asked++
	if last.Sub(first) >= s.most {
		return nil, errors.New("too much")
	}
	return s.constants.Minutes(ctx, expr, first, last)
}

// A backlog to which a stretch is too much is tried in smaller ones, after a rest, and
// holds up no other.
func TestABacklogThatFailsRests(t *testing.T) {
	db := startDB(t)
	o, values := burning("fails")
	other := objective("other", plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: "others"}, nil)
	objectives := []plumbline.Objective{o, other}
	values["others"] = 20
	promql := &slow{constants: values, most: 24 * time.Hour}
	c := New(DefaultConfig(), db, nil, promql)
	if err := c.Step(t.Context(), objectives, origin); err != nil {
		t.Fatal(err)
	}
	promql.most = 20 * time.Minute
	for range 5 {
		if err := c.CatchUp(t.Context(), objectives, origin, time.Minute); err == nil {
			t.Fatal("nobody hears of statements that fail")
		}
		asked := promql.asked
		if err := c.CatchUp(t.Context(), objectives, origin, time.Minute); err != nil || promql.asked != asked {
			t.Fatalf("%d asked in their rest, %v", promql.asked-asked, err)
		}
		for _, b := range c.backlogs {
			b.rests = time.Time{}
		}
		if b := c.backlogs[o.SLO.SLIID()]; b.stretch <= promql.most {
			break
		}
	}
	if b := c.backlogs[o.SLO.SLIID()]; b == nil || b.stretch != 15*time.Minute {
		t.Fatalf("%+v", b)
	}
	if err := c.fillByTime(t.Context(), o.SLO.SLIID(), o.SLO, origin); err != nil || c.Left(origin) != 166*time.Hour || c.Uncounted(objectives, origin)["fails"] != 166*time.Hour-15*time.Minute {
		t.Errorf("%s are left: %v", c.Left(origin), err)
	}
}

// tardy answers that there is nothing, after as long as it takes; nobody gets an answer
// before it is back.
type tardy struct {
	takes func(asked time.Duration) time.Duration
	back  time.Time
}

func (a *tardy) Minutes(ctx context.Context, expr string, first, last time.Time) ([]float64, error) {
	if time.Now().Before(a.back) {
		return nil, errors.New("connection refused")
	}
	asked, takes := last.Sub(first)+time.Minute, time.Millisecond
	if expr == "tardy" {
		takes = a.takes(asked)
	}
	select {
	case <-time.After(takes):
		return make([]float64, asked/time.Minute), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// The backlog of a statement that takes longer than a pause, whatever it is asked for,
// comes to its end, in hours and not in days; nothing waits for it longer than a step may
// take, and rarely.
func TestASlowStatementIsCountedInTheEnd(t *testing.T) {
	const pause = time.Second
	always := func(d time.Duration) func(time.Duration) time.Duration {
		return func(time.Duration) time.Duration { return d }
	}
	for name, tt := range map[string]struct {
		takes  func(time.Duration) time.Duration
		outage time.Duration
		within time.Duration
	}{
		"two seconds":                {always(2 * time.Second), 0, time.Hour},
		"fifteen seconds":            {always(15 * time.Second), 0, 5 * time.Hour},
		"half a minute a step":       {func(asked time.Duration) time.Duration { return asked / 240 }, 0, 9 * time.Hour},
		"a minute a step":            {func(asked time.Duration) time.Duration { return asked / 120 }, 0, 18 * time.Hour},
		"eight seconds, then nobody": {always(8 * time.Second), 10 * time.Minute, 4 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				c := New(DefaultConfig(), nil, nil, &tardy{takes: tt.takes, back: began.Add(tt.outage)})
				var objectives []plumbline.Objective
				for _, total := range []string{"tardy", "quick"} {
					o := objective(total, plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: "bad", Total: total}, nil)
					objectives = append(objectives, o)
					c.leave(o.SLO.SLIID(), o.SLO, span{began.Add(-c.cfg.Back).Unix(), began.Unix()})
				}
				var busy, longest, quick time.Duration
				for c.Left(began) > 0 && time.Since(began) < 24*time.Hour {
					asked := time.Now()
					_ = c.CatchUp(t.Context(), objectives, began, pause) // of the outage, and of what is late
					took := time.Since(asked)
					if longest = max(longest, took); took > pause {
						busy += took
					}
					if c.Uncounted(objectives, began)["quick"] > 0 {
						quick = time.Since(began)
					}
					time.Sleep(pause)
				}
				took := time.Since(began)
				if took > tt.within {
					t.Errorf("counted after %s, %s are left, want within %s", took, c.Left(began), tt.within)
				}
				if longest > patience+pause || busy > took/8 {
					t.Errorf("a pause of %s, all %s of %s", longest, busy, took)
				}
				if quick > tt.outage+5*time.Minute {
					t.Errorf("the other is counted after %s", quick)
				}
			})
		})
	}
}
