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
	first := 10_000
	for i := range 24 {
		late := time.Duration(random.IntN(3)) * time.Duration(random.IntN(60*60)) * time.Second * time.Duration(random.IntN(5))
		storeEvents(t, db, first, 1+random.IntN(40), time.Duration(1+random.IntN(20))*time.Second, clock.Add(-late), clock)
		first += 100
		if err := counter.Step(t.Context(), objectives, clock); err != nil {
			t.Fatal(err)
		}
		same(fmt.Sprint("look ", i))
		clock = clock.Add(time.Duration(random.IntN(9)) * time.Minute)
	}
	// What another process wrote is seen when everything is read anew.
	sli := objectives[1].SLO.SLIID()
	exec(t, db, "INSERT INTO sli (sli, model, deploy_hash, time, good, total, rows, version) VALUES ('%s', 'm', 'd1', '%s', 1, 77, 70, %d)", sli, clock.Add(-2*time.Hour).UTC().Format(time.DateTime), clock.Add(time.Hour).UnixMilli())
	clock = clock.Add(reread)
	same("another's write")
	same("nothing new")
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
		if err := counter.Step(t.Context(), objectives, clock); err != nil {
			t.Fatal(err)
		}
		if _, err := book.At(t.Context(), objectives, clock); err != nil {
			t.Fatal(err)
		}
	}
	look()
	look()
	book.Reader.Conn = unread{}
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
