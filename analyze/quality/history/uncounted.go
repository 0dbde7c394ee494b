package history

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

// Uncounted are hours of a scope that are over and stored, but not counted yet, or
// not as they are now.
type Uncounted struct {
	// Hours of predictions and Known of labels, by when those became known.
	Hours, Known int
	// Open are labels that became known in the hour that is not over; it is counted
	// when it is.
	Open int64
}

// Labels reports whether labels are stored that are not counted.
func (u Uncounted) Labels() bool { return u.Known > 0 || u.Open > 0 }

// mostUncounted bounds the hours of which Uncounted reports how many there are.
const mostUncounted = 10_000

// Uncounted returns what Roll would count of [From, To) of the scope, where To is
// the start of the hour that is not over. Hours whose raw rows may be gone, and
// that lack no more than weights, are none.
func (r Reader) Uncounted(ctx context.Context, s Scope) (u Uncounted, err error) {
	fail := func(err error) (Uncounted, error) {
		return Uncounted{}, fmt.Errorf("read what is not counted of model %q: %w", s.Model, err)
	}
	roller := Roller{Conn: r.Conn, Raw: time.Nanosecond}
	for _, source := range []struct {
		statement string
		mark      int32
		into      *int
	}{{staleHoursSQL, plumbline.StratumHourMark, &u.Hours}, {staleKnownSQL, plumbline.StratumKnownMark, &u.Known}} {
		count := func(uint32, uint64, uint64) { *source.into++ }
		if err := roller.eachStale(ctx, source.statement, s, source.mark, mostUncounted, count); err != nil {
			return fail(err)
		}
	}
	rows, err := r.Conn.Query(ctx, latelySQL, clickhouse.Named("model", string(s.Model)), clickhouse.Named("from", s.From.Unix()),
		clickhouse.Named("to", s.To.Add(time.Hour).Unix()), clickhouse.Named("since", s.To.Unix()))
	if err != nil {
		return fail(err)
	}
	defer rows.Close()
	for rows.Next() {
		var heard, n int64
		if err := rows.Scan(&heard, &n); err != nil {
			return fail(err)
		}
		u.Open += n
	}
	if err := rows.Err(); err != nil {
		return fail(err)
	}
	return u, nil
}
