package drift

import (
	"cmp"
	"context"
	_ "embed" // the statements
	"errors"
	"fmt"
	"maps"
	"reflect"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/marks.sql
var marksSQL string

// mark tells a sum of rows of one series from any earlier one: requests only
// ever add to rollups. The sum of their values, modulo 2^64, is there for hours
// that somebody took away and stored anew.
type mark struct{ count, deliveries, nulls, nans, infs, sum uint64 }

func (m mark) plus(o mark) mark {
	return mark{m.count + o.count, m.deliveries + o.deliveries, m.nulls + o.nulls, m.nans + o.nans, m.infs + o.infs, m.sum + o.sum}
}

// Closed is what a Reader has read of the hours of a window that have ended. It
// is not changed once it was read.
type Closed struct {
	of   Query
	sums *numbers
}

// Bytes is about what it takes in memory.
func (c *Closed) Bytes() int {
	const series, page = 512, 8<<pageBits + 64
	bytes := 0
	for name, n := range c.sums.of {
		bytes += series + len(name)
		for _, a := range n.grids {
			bytes += page * len(a.pages)
		}
	}
	return bytes
}

// ReadAgain is Read of a window whose hours before a time may have been read
// before: what was read of them is used again if their rollups are still the
// same, which costs a statement that leaves the histograms alone. An event that
// came in late for one of them makes all of them be read anew. Before may be nil,
// or of another window. What it returns beside the window is for the next time;
// it is nil if the window has no hour before that time.
func (r Reader) ReadAgain(ctx context.Context, q Query, until time.Time, before *Closed) (Window, *Closed, error) {
	past, rest := q.cut(until)
	if past == nil {
		w, err := r.Read(ctx, q)
		return w, nil, err
	}
	w, n := newWindow(), newNumbers()
	var closed *Closed
	err := together(ctx,
		func(ctx context.Context) error { return r.each(ctx, categoriesSQL, q, w.category) },
		func(ctx context.Context) (err error) {
			closed, err = r.closed(ctx, *past, before)
			return err
		},
		func(ctx context.Context) error {
			if rest == nil {
				return nil
			}
			return n.read(ctx, r.Conn, *rest)
		},
	)
	if err != nil {
		return Window{}, nil, fmt.Errorf("read series of model %q: %w", q.Model, err)
	}
	n.merge(closed.sums)
	w.Each = []uint64{n.requests}
	w.fill(n)
	return w, closed, nil
}

// cut returns the hours of a window before a time, and the others; nil where
// there are none.
func (q Query) cut(until time.Time) (past, rest *Query) {
	until = until.UTC().Truncate(time.Hour)
	if !q.From.Before(until) {
		return nil, &q
	}
	if !q.To.IsZero() && !q.To.After(until) {
		return &q, nil
	}
	before, after := q, q
	before.To, after.From = until, until
	return &before, &after
}

// closed returns the sums of a window: the ones from before if they still are.
func (r Reader) closed(ctx context.Context, q Query, before *Closed) (*Closed, error) {
	if before != nil && reflect.DeepEqual(before.of, q) {
		marks, err := r.marks(ctx, q)
		if err != nil {
			return nil, err
		}
		if maps.Equal(marks, before.sums.marks) {
			return before, nil
		}
	}
	c := &Closed{of: q, sums: newNumbers()}
	return c, c.sums.read(ctx, r.Conn, q)
}

// marks returns the marks of a window.
func (r Reader) marks(ctx context.Context, q Query) (map[plumbline.Series]mark, error) {
	marks := map[plumbline.Series]mark{}
	err := r.each(ctx, marksSQL, q, func(rows driver.Rows) error {
		var (
			series string
			m      mark
		)
		if err := rows.Scan(&series, &m.count, &m.deliveries, &m.nulls, &m.nans, &m.infs, &m.sum); err != nil {
			return err
		}
		marks[plumbline.Series(series)] = m
		return nil
	})
	return marks, err
}

// together calls the functions at a time. Where one fails the others are
// cancelled: its error is the one to tell.
func together(ctx context.Context, calls ...func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	errs := make([]error, len(calls))
	var wait sync.WaitGroup
	for i, call := range calls {
		wait.Go(func() {
			if errs[i] = call(ctx); errs[i] != nil {
				cancel(errs[i])
			}
		})
	}
	wait.Wait()
	return cmp.Or(context.Cause(ctx), errors.Join(errs...))
}
