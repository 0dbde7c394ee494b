package count

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

// said is what evaluations say, in an order of its own.
func said(all []Evaluation) string {
	var lines []string
	for _, e := range all {
		line := fmt.Sprintf("%s %q", e.Objective.SLO.Name, e.Deploy)
		for _, c := range e.Counted {
			line += fmt.Sprintf("\n   %s %s %+v %+v %s %v %v %v", c.Pair.Long, c.End.UTC(), c.Long, c.Short, c.Evidence, c.Noise, c.Thin, c.Verdict)
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func bookObjectives() []plumbline.Objective {
	all := eventObjectives()
	for i := range all {
		// Windows that begin within an hour and within a quarter of one, and one so
		// long that only those of which little comes in look at it.
		all[i].Pairs[0].Evidence = []time.Duration{7 * time.Minute, 90 * time.Minute, 50 * time.Hour}
	}
	sliced := objective("sliced", plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) {
		s.Budgeting, s.SliceWindow, s.SliceTarget = plumbline.Timeslices, 10*time.Minute, 0.9
	})
	whole := objective("whole", plumbline.SLI{Kind: plumbline.SLIComposite}, func(s *plumbline.SLO) {
		s.Parts = []plumbline.Part{{SLO: "latency", Weight: 3}, {SLO: "sliced", Weight: 1}}
	})
	return append(all, sliced, whole)
}

// A book says what a reader of the table says, to the last bit, whatever is counted,
// whenever it is asked, and in whatever minute.
func TestBookSaysWhatTheTableSays(t *testing.T) {
	const seed = 3
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	db := startDB(t)
	storeEvents(t, db, 0, 3000, time.Minute, origin, origin)
	counter := New(DefaultConfig(), db, nil, nil)
	book, objectives := NewBook(counter), bookObjectives()
	clock := origin
	book.now = func() time.Time { return clock }
	same := func(of string) {
		t.Helper()
		want, err := Reader{Conn: db.Conn()}.At(t.Context(), objectives, clock)
		if err != nil {
			t.Fatal(err)
		}
		got, err := book.At(t.Context(), objectives, clock)
		if err != nil {
			t.Fatal(err)
		}
		if said(got) != said(want) || len(want) < 10 {
			t.Fatalf("%s at %s: the book says\n%s\nthe table\n%s", of, clock, said(got), said(want))
		}
	}
	count(t, counter, objectives, clock)
	first := 10_000
	for i := range 24 {
		late := time.Duration(random.IntN(3)) * time.Duration(random.IntN(60*60)) * time.Second * time.Duration(random.IntN(5))
		storeEvents(t, db, first, 1+random.IntN(40), time.Duration(1+random.IntN(20))*time.Second, clock.Add(-late), clock)
		first += 100
		count(t, counter, objectives, clock)
		same(fmt.Sprint("look ", i))
		clock = clock.Add(time.Duration(random.IntN(9)) * time.Minute)
	}
	// What another process wrote is seen when everything is read anew.
	sli := objectives[1].SLO.SLIID()
	exec(t, db, "INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES ('%s', 'm', 'd1', '%s', 1, 77, 70, %d)", sli, clock.Add(-2*time.Hour).UTC().Format(time.DateTime), clock.Add(time.Hour).UnixMilli())
	clock = clock.Add(reread)
	if err := counter.Step(t.Context(), objectives, clock); err != nil {
		t.Fatal(err)
	}
	same("another's write")
	same("nothing new")
}

// A backlog of days is held by the hour, like what was counted before.
func TestABookHoldsABacklogByTheHour(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, 0, 4000, 2*time.Minute, origin, origin)
	counter, objectives := New(DefaultConfig(), db, nil, nil), bookObjectives()[1:2]
	book := NewBook(counter)
	book.now = func() time.Time { return origin }
	if err := counter.Step(t.Context(), objectives, origin); err != nil {
		t.Fatal(err)
	}
	counter.stretch = 6 * time.Hour
	var got []Evaluation
	for filled := false; !filled; filled = len(counter.backlogs) == 0 {
		err := counter.fillBacklog(t.Context(), slosOf(objectives), origin)
		if err != nil {
			t.Fatal(err)
		}
		if got, err = book.At(t.Context(), objectives, origin); err != nil {
			t.Fatal(err)
		}
	}
	want, err := Reader{Conn: db.Conn()}.At(t.Context(), objectives, origin)
	if err != nil || said(got) != said(want) {
		t.Fatalf("%v, the book says\n%s\nthe table\n%s", err, said(got), said(want))
	}
	for deploy, s := range book.series[objectives[0].SLO.SLIID()] {
		minutes := 0
		for _, h := range s {
			if h.minutes != nil {
				minutes++
			}
		}
		if len(s) < 45 || minutes > 12 {
			t.Errorf("%s: %d of %d hours are held by the minute", deploy, minutes, len(s))
		}
	}
}

// What was counted of an objective at last, the newest stretch of a backlog, is neither
// health nor a burn of a window that is longer; nor is what was counted before it could
// not be any more. Shorter windows say what they will say.
func TestWhatIsNotCountedAsAWholeIsMissing(t *testing.T) {
	db := startDB(t)
	// A day of failures after two without any.
	storeEvents(t, db, 0, 4320, time.Minute, origin, origin)
	exec(t, db, "ALTER TABLE predictions UPDATE status = if(ts >= toDateTime64('%s', 3, 'UTC'), 'timeout', 'ok') WHERE 1 SETTINGS mutations_sync = 1", stamp(origin.Add(-12*time.Hour)))
	pair := func(long time.Duration) plumbline.WindowPair {
		return plumbline.WindowPair{Severity: plumbline.SeverityPage, Long: long, Short: long / 12, Factor: 10}
	}
	objectives := []plumbline.Objective{
		objective("success", plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) { s.Deploy = "d0" }),
		objective("sliced", plumbline.SLI{Kind: plumbline.SLISuccess}, func(s *plumbline.SLO) {
			s.Deploy, s.Budgeting, s.SliceWindow, s.SliceTarget = "d0", plumbline.Timeslices, 5*time.Minute, 0.9
		}),
	}
	for i := range objectives {
		objectives[i].Pairs = []plumbline.WindowPair{pair(time.Hour), pair(72 * time.Hour)}
	}
	slos := map[plumbline.SLIID]plumbline.SLO{objectives[0].SLO.SLIID(): objectives[0].SLO}
	counter := New(DefaultConfig(), db, nil, nil)
	book := NewBook(counter)
	clock := origin
	book.now = func() time.Time { return clock }
	want := func(when, hour, days string) {
		t.Helper()
		all, err := book.At(t.Context(), objectives, clock)
		if err != nil || len(all) != len(objectives) {
			t.Fatalf("%s: %d evaluations, %v", when, len(all), err)
		}
		for _, e := range all {
			if got := e.Counted; got[0].Verdict != hour || got[1].Verdict != days || got[1].Partly != (days == plumbline.VerdictMissing) {
				t.Errorf("%s: %s: the hour %s and three days %s, %+v; want %s and %s", when, e.Objective.SLO.Name, got[0].Verdict, got[1].Verdict, got[1], hour, days)
			}
		}
	}
	if err := counter.reach(slos, clock, counter.begin(t.Context(), slos, 0, clock)); err != nil {
		t.Fatal(err)
	}
	want("nothing is counted", plumbline.VerdictMissing, plumbline.VerdictMissing)
	if err := counter.fillBacklog(t.Context(), slos, clock); err != nil {
		t.Fatal(err)
	}
	want("the day is", plumbline.VerdictBreach, plumbline.VerdictMissing)
	count(t, counter, objectives, clock)
	want("all is", plumbline.VerdictBreach, plumbline.VerdictOK)
	clock = clock.Add(behind)
	storeEvents(t, db, 10_000, 20, time.Second, clock.Add(-time.Second), clock)
	want("counting has failed for a while", plumbline.VerdictBreach, plumbline.VerdictOK)
	clock = clock.Add(time.Minute)
	want("for longer", plumbline.VerdictMissing, plumbline.VerdictMissing)
	count(t, counter, objectives, clock)
	want("it is counted again", plumbline.VerdictOK, plumbline.VerdictOK)
}

// broken are constants, but for one expression that cannot be evaluated any more.
type broken struct {
	constants
	expr string
}

func (b broken) Minutes(ctx context.Context, expr string, first, last time.Time) ([]float64, error) {
	if expr == b.expr {
		return nil, errors.New("a statement of its owner's")
	}
	return b.constants.Minutes(ctx, expr, first, last)
}

// A user's statement that fails makes its own objective missing, and no other: what was
// counted before does not say for hours that it is well.
func TestAStatementThatFailsIsMissing(t *testing.T) {
	db := startDB(t)
	var all []plumbline.Objective
	for _, name := range []string{"a", "b"} {
		o := objective(name, plumbline.SLI{Kind: plumbline.SLIPromQL, Bad: name, Total: "all"}, nil)
		o.Pairs = o.Pairs[1:]
		o.SLO.Where = "slo.yml:7"
		all = append(all, o)
	}
	values := constants{"a": 0.01, "b": 0.01, "all": 10}
	counter := New(DefaultConfig(), db, nil, values)
	counter.budget = time.Hour
	book := NewBook(counter)
	count(t, counter, all, origin)
	counter.promql = broken{values, "a"}
	again := New(DefaultConfig(), db, nil, counter.promql) // a process that begins then
	again.budget = time.Hour
	for _, step := range []struct {
		after time.Duration
		a     string
	}{{behind, plumbline.VerdictOK}, {behind + time.Minute, plumbline.VerdictMissing}} {
		now := origin.Add(step.after)
		if err := counter.Step(t.Context(), all, now); err == nil || !strings.Contains(err.Error(), `SLO "a" (slo.yml:7)`) || strings.Contains(err.Error(), `SLO "b"`) {
			t.Errorf("%v, want an error of one", err)
		}
		found, err := book.At(t.Context(), all, now)
		if err != nil || len(found) != 2 || found[0].Counted[0].Verdict != step.a || found[1].Counted[0].Verdict != plumbline.VerdictOK {
			t.Errorf("after %s:\n%s\n%v, want a %s and b ok", step.after, said(found), err, step.a)
		}
		if err := again.Step(t.Context(), all, now); err == nil {
			t.Error("a process that begins counts what cannot be counted")
		}
		found, err = NewBook(again).At(t.Context(), all, now)
		if err != nil || len(found) != 2 || found[0].Counted[0].Verdict != step.a || found[1].Counted[0].Verdict != plumbline.VerdictOK {
			t.Errorf("of a process that begins after %s:\n%s\n%v, want a %s and b ok", step.after, said(found), err, step.a)
		}
	}
}

// Within the hour a book reads nothing: what was counted it was told of.
func TestBookReadsRarely(t *testing.T) {
	db := startDB(t)
	storeEvents(t, db, 0, 3000, 3*time.Second, origin, origin)
	counter := New(DefaultConfig(), db, nil, nil)
	book, objectives := NewBook(counter), eventObjectives()
	clock := origin
	book.now = func() time.Time { return clock }
	look := func() {
		t.Helper()
		count(t, counter, objectives, clock)
		if _, err := book.At(t.Context(), objectives, clock); err != nil {
			t.Fatal(err)
		}
	}
	look()
	look()
	book.Reader.Conn = unread{}
	// Slices are read, and what cannot be read keeps nobody else from being evaluated.
	all := bookObjectives()
	for i := range all {
		all[i].Pairs = objectives[0].Pairs
	}
	if found, err := book.At(t.Context(), all, clock); err == nil || len(found) != 7 {
		t.Errorf("%d evaluations, %v, want those of %d objectives", len(found), err, len(objectives))
	}
	for i := range 5 {
		clock = clock.Add(time.Minute)
		storeEvents(t, db, 10_000+100*i, 50, time.Second, clock, clock)
		look()
	}
}

// unread fails every query.
type unread struct{}

func (unread) Query(context.Context, string, ...any) (driver.Rows, error) {
	return nil, errors.New("nothing is to be read here")
}
