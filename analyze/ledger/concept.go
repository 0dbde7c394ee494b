package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Unpromised says why a ticket of suspected concept drift without a promise is
// undecided.
func (a Alarm) Unpromised() string {
	if a.From.Equal(a.To) {
		return "what it stood on is not among the findings"
	}
	return fmt.Sprintf("nothing is promised of the %s from %s: it is told when they are over, of deploys that went on to serve",
		plumbline.WindowName(a.To.Sub(a.From)), a.From.Format(time.RFC3339))
}

// contradicted is a window whose labels contradicted what scores promised, and when
// that was found.
type contradicted struct {
	length  time.Duration
	end, at time.Time
	gap     float64
}

// contradiction looks up what a ticket of suspected concept drift claims: that what
// labels denied scores in one window goes on. It is about the predictions of the
// deploy after that window, as many hours of them, because none of their labels had a
// part in it: by those that raised it, a ticket would nearly always be right.
func (r Reader) contradiction(ctx context.Context, a *Alarm) error {
	a.From, a.To, a.Claim = a.Opened, a.Opened, "labels contradicted what scores promised"
	args := []any{clickhouse.Named("model", string(a.Model)), clickhouse.Named("deploy", string(a.Deploy)), clickhouse.Named("opened", a.Opened.Unix())}
	var all []contradicted
	err := r.each(ctx, "what incident "+a.ID+" stood on", contradictionSQL, args, func(rows driver.Rows) error {
		var name string
		var c contradicted
		if err := rows.Scan(&name, &c.end, &c.at, &c.gap); err != nil {
			return err
		}
		var err error
		c.length, err = windowLength(name)
		all = append(all, c)
		return err
	})
	if err != nil || len(all) == 0 {
		return err
	}
	// Of one look the shortest, as the rule has it.
	c := slices.MinFunc(all, func(a, b contradicted) int {
		return cmp.Or(b.at.Compare(a.at), cmp.Compare(a.length, b.length))
	})
	a.From, a.To = c.end.UTC(), c.end.UTC().Add(c.length)
	name := plumbline.WindowName(c.length)
	a.Claim = fmt.Sprintf("labels lay %+.3g off what scores promised in the %s before %s, and so lie those after it", c.gap, name, a.From.Format(time.RFC3339))
	return r.promise(ctx, a, name)
}

// promise looks up what scores promised of the window that follows. Where the service
// did not look when that ended, it is the next one of which it told, as long as one
// window is between them.
func (r Reader) promise(ctx context.Context, a *Alarm, window string) error {
	length := a.To.Sub(a.From)
	args := []any{
		clickhouse.Named("model", string(a.Model)), clickhouse.Named("deploy", string(a.Deploy)), clickhouse.Named("window", window),
		clickhouse.Named("from", a.To.Unix()), clickhouse.Named("to", a.To.Add(length).Unix()),
	}
	return r.each(ctx, "what was promised after incident "+a.ID, promiseSQL, args, func(rows driver.Rows) error {
		var ofErrors bool
		var end time.Time
		p := Promise{Measure: ShareCorrect, Scores: true}
		if err := rows.Scan(&ofErrors, &end, &p.Value, &p.Low, &p.High); err != nil {
			return err
		}
		if ofErrors {
			p.Measure = MeanError
		}
		a.Promise, a.From, a.To = p, end.UTC().Add(-length), end.UTC()
		a.Claim += fmt.Sprintf(": off %.4g to %.4g", p.Low, p.High)
		return nil
	})
}
