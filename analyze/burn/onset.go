package burn

import (
	"context"
	_ "embed" // the statement
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/changes.sql
var changesSQL string

// Onset is the event that made an SLO burn.
type Onset struct {
	// Known is the Kafka timestamp of the label after which the pair's condition
	// held.
	Known time.Time
	// ID is the prediction that the label is about.
	ID plumbline.PredictionID
	// Evaluation is the condition as it stood then.
	Evaluation Evaluation
}

// change is what one label changed when it became known.
type change struct {
	id                plumbline.PredictionID
	known, minute     time.Time
	labelled, correct int64
	// requests is what the prediction stands for.
	requests int64
}

// FirstBreach returns the first label known in [from, to] after which a pair of
// the objective was in breach for the deploy, and false if there is none. It
// takes the labels one by one in the order in which they became known, each at
// its own instant, so it needs no assumption that a burn goes on.
func (r Reader) FirstBreach(ctx context.Context, o plumbline.Objective, deploy plumbline.DeployHash, from, to time.Time) (Onset, bool, error) {
	fail := func(err error) (Onset, bool, error) {
		return Onset{}, false, fmt.Errorf("first breach of SLO %q of deploy %q: %w", o.SLO.Name, deploy, err)
	}
	lag := r.MaxLag
	if lag == 0 {
		lag = DefaultMaxLag
	}
	start := from.Add(-lag - o.Longest()).Truncate(time.Minute)
	n := int(to.Sub(start)/time.Minute) + 1
	bounds := []any{
		clickhouse.Named("model", string(o.SLO.Model)), clickhouse.Named("segment", string(o.SLO.Segment)), clickhouse.Named("deploy", string(deploy)),
		clickhouse.Named("from", start.Unix()), clickhouse.Named("to", to.Unix()), clickhouse.Named("known", to.UnixMilli()),
	}
	all, err := r.minutes(ctx, cellsSQL, start, n, bounds...)
	if err != nil {
		return fail(err)
	}
	m, ok := all[deploy]
	if !ok {
		return Onset{}, false, nil
	}
	// Only the requests are taken from there: the labels are replayed.
	clear(m.Labelled)
	clear(m.Correct)
	clear(m.Rows)
	changes, err := r.changes(ctx, bounds...)
	if err != nil {
		return fail(err)
	}
	onset, found := replay(m, changes, o, from)
	return onset, found, nil
}

// replay applies the changes in order and evaluates after each that is known at
// or after from.
func replay(m Minutes, changes []change, o plumbline.Objective, from time.Time) (Onset, bool) {
	for _, c := range changes {
		i := int(c.minute.Sub(m.Start) / time.Minute)
		if i < 0 || i >= len(m.Requests) {
			continue
		}
		m.Labelled[i] += c.labelled * c.requests
		m.Correct[i] += c.correct * c.requests
		m.Rows[i] += c.labelled
		if c.known.Before(from) {
			continue
		}
		for _, e := range evaluateAll(o, m, c.known) {
			if e.Breach() {
				return Onset{Known: c.known, ID: c.id, Evaluation: e}, true
			}
		}
	}
	return Onset{}, false
}

func (r Reader) changes(ctx context.Context, parameters ...any) ([]change, error) {
	rows, err := r.Conn.Query(ctx, changesSQL, parameters...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []change
	for rows.Next() {
		var (
			c                 change
			id                string
			labelled, correct int8
			requests          uint64
		)
		if err := rows.Scan(&id, &c.known, &c.minute, &labelled, &correct, &requests); err != nil {
			return nil, err
		}
		c.id, c.labelled, c.correct, c.requests = plumbline.PredictionID(id), int64(labelled), int64(correct), int64(requests)
		all = append(all, c)
	}
	return all, rows.Err()
}
