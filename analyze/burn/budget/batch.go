package budget

import (
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/*.sql
var statements embed.FS

// atOnce is how many indicators one statement counts. A statement about one reads nearly
// as much as one about its neighbours too; one about all would leave nothing of the others
// where the events of a single model are too many.
const atOnce = 50

// question is what one statement can ask about many indicators.
type question struct {
	statement string // the name of its file
	deploy    plumbline.DeployHash
	from, to  int64 // unix seconds
	slice     time.Duration
	target    float64
}

// indicator is what is counted: an SLI or, of labels, a model and a segment of it.
type indicator struct{ name, part string }

// tally is what was counted of an indicator, and when the first of it was. Earlier says
// that something was before the period, too, so that nothing of it was missed.
type tally struct {
	bad, total float64
	first      time.Time
	earlier    bool
}

// batch counts the periods of objectives that end at one time.
type batch struct {
	end time.Time
	// asked are the indicators of each question, with an objective that asks for it.
	asked map[question]map[indicator]plumbline.SLOName
	// found is what was counted of those that could be.
	found map[question]map[indicator]tally
}

func newBatch(end time.Time) batch {
	return batch{end, make(map[question]map[indicator]plumbline.SLOName), make(map[question]map[indicator]tally)}
}

// add asks for what an objective counts; the parts of a composite are asked for apart.
func (b batch) add(slo plumbline.SLO) {
	if slo.SLI.Is(plumbline.SLIComposite) {
		return
	}
	q, of := questionOf(slo, b.end)
	if b.asked[q] == nil {
		b.asked[q], b.found[q] = make(map[indicator]plumbline.SLOName), make(map[indicator]tally)
	}
	b.asked[q][of] = slo.Name
}

func questionOf(slo plumbline.SLO, end time.Time) (question, indicator) {
	from, to := periodOf(slo, end)
	q := question{statement: "events", deploy: slo.Deploy, from: from.Unix(), to: to.Unix()}
	switch {
	case slo.Budgeting == plumbline.Timeslices:
		q.statement, q.slice, q.target = "slices", slo.SliceWindow, slo.SliceTarget
	case slo.Budgeting == plumbline.RatioTimeslices:
		q.statement, q.slice = "slices", slo.SliceWindow // their bad shares count, whatever they are
	case slo.SLI.Is(plumbline.SLIQuality):
		q.statement = "outcomes"
		return q, indicator{string(slo.Model), string(slo.Segment)}
	}
	return q, indicator{name: string(slo.SLIID())}
}

// read asks every question, neighbours together. Where some cannot be counted together
// each is by itself, and the error is that of those that cannot be.
func (b batch) read(ctx context.Context, r Reader) error {
	var errs []error
	for q, asked := range b.asked {
		of := slices.SortedFunc(maps.Keys(asked), func(a, b indicator) int {
			return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.part, b.part))
		})
		for some := range slices.Chunk(of, atOnce) {
			if len(some) > 1 && b.ask(ctx, r, q, some) == nil {
				continue
			}
			for i := range some {
				if err := b.ask(ctx, r, q, some[i:i+1]); err != nil {
					errs = append(errs, fmt.Errorf("read the budget of %s: %w", asked[some[i]], err))
				}
			}
		}
	}
	return errors.Join(errs...)
}

// ask counts some indicators. Of one that has nothing in the period there is no row. Of
// one that has nothing in the beginning of the period it is asked whether it had before:
// a model that answers once a day is seen all week.
func (b batch) ask(ctx context.Context, r Reader, q question, some []indicator) error {
	if r.Patience > 0 {
		within, cancel := context.WithTimeout(ctx, r.Patience)
		defer cancel()
		ctx = within
	}
	counted, late := make(map[indicator]tally), []indicator(nil)
	err := r.each(ctx, q.statement, q.parameters(some), func(scan func(...any) error) error {
		var (
			of indicator
			t  tally
		)
		err := scan(&of.name, &of.part, &t.bad, &t.total, &t.first)
		if counted[of] = t; float64(t.first.Unix()-q.from) > mostUnseen*float64(q.to-q.from) {
			late = append(late, of)
		}
		return err
	})
	if err == nil && len(late) > 0 {
		err = r.each(ctx, q.earlier(), q.parameters(late), func(scan func(...any) error) error {
			var of indicator
			err := scan(&of.name, &of.part)
			t := counted[of]
			t.earlier = true
			counted[of] = t
			return err
		})
	}
	if err != nil {
		return err
	}
	for _, of := range some {
		b.found[q][of] = counted[of]
	}
	return nil
}

// each runs a statement of a file and calls take for every row of its answer.
func (r Reader) each(ctx context.Context, file string, parameters []any, take func(scan func(...any) error) error) (err error) {
	text, err := statements.ReadFile("sql/" + file + ".sql")
	if err != nil {
		return err
	}
	rows, err := r.Conn.Query(ctx, string(text), parameters...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := take(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}

// earlier is the statement that asks for what was as long before the period as it lasts.
func (q question) earlier() string {
	if q.statement == "outcomes" {
		return "earlier_outcomes"
	}
	return "earlier_events"
}

func (q question) parameters(some []indicator) []any {
	names, parts := make([]string, len(some)), make([]string, len(some))
	for i, of := range some {
		names[i], parts[i] = of.name, of.part
	}
	return []any{
		clickhouse.Named("names", slices.Compact(names)), clickhouse.Named("parts", slices.Compact(slices.Sorted(slices.Values(parts)))),
		clickhouse.Named("deploy", string(q.deploy)), clickhouse.Named("before", 2*q.from-q.to), clickhouse.Named("from", q.from), clickhouse.Named("to", q.to),
		clickhouse.Named("slice", int64(q.slice/time.Second)), clickhouse.Named("target", q.target),
	}
}

// spent is what an objective that is no composite spent; false if it could not be counted.
func (b batch) spent(slo plumbline.SLO) (Spent, bool) {
	q, of := questionOf(slo, b.end)
	t, ok := b.found[q][of]
	s := Spent{Bad: math.NaN()}
	s.From, s.End = periodOf(slo, b.end)
	// Labels that are withdrawn leave a negative count for a moment.
	if t.total > 0 {
		s.Bad, s.Total, s.First = max(t.bad, 0)/t.total, uint64(t.total), t.first
		if t.earlier {
			s.First = s.From
		}
	}
	return s, ok
}
