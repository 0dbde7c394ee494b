package burn

import (
	"context"
	_ "embed" // the statement
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/deploys.sql
var deploysSQL string

// Replay evaluates an objective of quality at the end of every minute of
// [from, to], each time with the labels known by then, and calls report where a
// pair's condition begins or ends to hold.
func (r Reader) Replay(ctx context.Context, o plumbline.Objective, from, to time.Time, report func(time.Time, plumbline.DeployHash, Evaluation)) error {
	deploys, err := r.deploys(ctx, o, from, to)
	if err != nil {
		return fmt.Errorf("replay SLO %q: %w", o.SLO.Name, err)
	}
	for _, d := range deploys {
		if o.SLO.Deploy != "" && o.SLO.Deploy != d {
			continue
		}
		if err := r.replayDeploy(ctx, o, d, from, to, report); err != nil {
			return fmt.Errorf("replay SLO %q of deploy %q: %w", o.SLO.Name, d, err)
		}
	}
	return nil
}

func (r Reader) deploys(ctx context.Context, o plumbline.Objective, from, to time.Time) (all []plumbline.DeployHash, err error) {
	rows, err := r.Conn.Query(ctx, deploysSQL, clickhouse.Named("model", string(o.SLO.Model)),
		clickhouse.Named("from", from.Add(-r.lag()-o.Longest()).Unix()), clickhouse.Named("to", to.Unix()))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var deploy string
		if err := rows.Scan(&deploy); err != nil {
			return nil, err
		}
		all = append(all, plumbline.DeployHash(deploy))
	}
	return all, rows.Err()
}

func (r Reader) lag() time.Duration {
	if r.MaxLag == 0 {
		return DefaultMaxLag
	}
	return r.MaxLag
}

func (r Reader) replayDeploy(ctx context.Context, o plumbline.Objective, deploy plumbline.DeployHash, from, to time.Time, report func(time.Time, plumbline.DeployHash, Evaluation)) error {
	start := from.Add(-r.lag() - o.Longest()).Truncate(time.Minute)
	bounds := []any{
		clickhouse.Named("model", string(o.SLO.Model)), clickhouse.Named("segment", string(o.SLO.Segment)), clickhouse.Named("deploy", string(deploy)),
		clickhouse.Named("from", start.Unix()), clickhouse.Named("to", to.Unix()), clickhouse.Named("known", to.UnixMilli()),
	}
	all, err := r.minutes(ctx, cellsSQL, start, int(to.Sub(start)/time.Minute)+1, bounds...)
	if err != nil {
		return err
	}
	m, ok := all[deploy]
	if !ok {
		return nil
	}
	clear(m.Labelled)
	clear(m.Correct)
	clear(m.Rows)
	changes, err := r.changes(ctx, bounds...)
	if err != nil {
		return err
	}
	held := make([]bool, len(o.Pairs))
	for at := from.Truncate(time.Minute); !at.After(to); at = at.Add(time.Minute) {
		for len(changes) > 0 && !changes[0].known.After(at) {
			m.apply(changes[0])
			changes = changes[1:]
		}
		for i, e := range evaluateAll(o, m.until(at, r.lag()+o.Longest()), at) {
			if e.Breach() != held[i] {
				held[i] = e.Breach()
				report(at, deploy, e)
			}
		}
	}
	return nil
}

// apply adds what one label changed.
func (m Minutes) apply(c change) {
	if i := int(c.minute.Sub(m.Start) / time.Minute); i >= 0 && i < len(m.Requests) {
		m.Labelled[i] += c.labelled * c.requests
		m.Correct[i] += c.correct * c.requests
		m.Rows[i] += c.labelled
	}
}

// until returns the minutes that an evaluation at an instant reads.
func (m Minutes) until(at time.Time, reach time.Duration) Minutes {
	first := max(int(at.Add(-reach).Sub(m.Start)/time.Minute), 0)
	end := min(int(at.Sub(m.Start)/time.Minute)+1, len(m.Requests))
	return Minutes{Start: m.Start.Add(time.Duration(first) * time.Minute), Requests: m.Requests[first:end],
		Labelled: m.Labelled[first:end], Correct: m.Correct[first:end], Rows: m.Rows[first:end]}
}
