package analyze

import (
	"context"
	_ "embed" // the statement
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/serving.sql
var servingSQL string

const day = 24 * time.Hour

// lookback is how far back a model's last traffic may lie for it to be looked
// at: further than a backfill begins.
const lookback = 32 * day

// querier runs one query; clickhouse-go's driver.Conn is one.
type querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// attempt is when something was looked at last, and the error of that. It stands
// until the next attempt: what could not be seen is not complete meanwhile, but
// a query that fails, and may be a heavy one, waits as one that succeeds does.
type attempt struct {
	at  time.Time
	err error
}

// stands reports whether it is too early for the next attempt.
func (a attempt) stands(now time.Time, interval time.Duration) bool { return now.Sub(a.at) < interval }

// deploy is one deploy in one stage with the hours in which it served.
type deploy struct {
	hash  plumbline.DeployHash
	stage plumbline.Stage
	// first and last are the starts of the first and the last hour with requests.
	first, last time.Time
	requests    uint64
}

// served reports whether the deploy had requests in the window before end.
func (d deploy) served(end time.Time, window time.Duration) bool {
	return d.last.Add(time.Hour).After(end.Add(-window))
}

// traffic is what one model served.
type traffic struct {
	model   plumbline.Model
	deploys []deploy
	// end is where windows end: now, or while data is behind, the end of the last
	// hour that has any.
	end time.Time
}

// serving returns who served within the lookback, by model. An empty model
// means all.
func serving(ctx context.Context, conn querier, model plumbline.Model, now time.Time) ([]traffic, error) {
	rows, err := conn.Query(ctx, servingSQL, clickhouse.Named("model", string(model)),
		clickhouse.Named("from", now.Add(-lookback).Unix()), clickhouse.Named("to", now.Unix()))
	if err != nil {
		return nil, fmt.Errorf("read who served: %w", err)
	}
	defer rows.Close()
	var all []traffic
	for rows.Next() {
		var (
			d                 deploy
			name, hash, stage string
		)
		if err := rows.Scan(&name, &hash, &stage, &d.first, &d.last, &d.requests); err != nil {
			return nil, fmt.Errorf("read who served: %w", err)
		}
		d.hash, d.stage = plumbline.DeployHash(hash), plumbline.Stage(stage)
		if n := len(all); n == 0 || all[n-1].model != plumbline.Model(name) {
			all = append(all, traffic{model: plumbline.Model(name)})
		}
		t := &all[len(all)-1]
		t.deploys = append(t.deploys, d)
		if end := d.last.Add(time.Hour); end.After(t.end) {
			t.end = end
		}
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read who served: %w", err)
	}
	for i := range all {
		if all[i].end.After(now) {
			all[i].end = now
		}
	}
	return all, nil
}

// previous returns the deploy of the stage that began to serve last before d
// did, and false if there is none.
func (t traffic) previous(d deploy) (deploy, bool) {
	var best deploy
	found := false
	for _, other := range t.deploys {
		if other.hash == d.hash || other.stage != d.stage || !other.first.Before(d.first) && !other.last.Before(d.first) {
			continue
		}
		if !found || other.last.After(best.last) {
			best, found = other, true
		}
	}
	return best, found
}

// find returns the deploy by its hash, production before any other stage.
func (t traffic) find(hash plumbline.DeployHash) (deploy, bool) {
	var best deploy
	found := false
	for _, d := range t.deploys {
		if d.hash == hash && (!found || d.stage == plumbline.StageProduction) {
			best, found = d, true
		}
	}
	return best, found
}
