package quality

import (
	"context"
	_ "embed" // the statement
	"fmt"
	"math"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

// MinLabelled is the number of labelled predictions below which nothing is said
// about a share.
const MinLabelled = 20

// Counts are the predictions of one deploy in one window.
type Counts struct {
	Deploy plumbline.DeployHash
	Stage  plumbline.Stage
	// Requests counts deliveries, Labelled distinct predictions with a label,
	// Correct those of them that were right: each as often as its weight says.
	Requests, Labelled, Correct int64
	// Rows is the number of predictions that Labelled was counted from, less
	// than Labelled where the producer samples.
	Rows int64
}

// Accuracy returns the share of labelled predictions that were right, NaN
// without labels.
func (c Counts) Accuracy() float64 {
	if c.Labelled <= 0 {
		return math.NaN()
	}
	return float64(c.Correct) / float64(c.Labelled)
}

// Interval returns the 95 % interval of Accuracy. It is the interval of the
// labels' sampling: it takes those that are in for a random share of all.
func (c Counts) Interval() Interval { return WilsonSampled(c.Correct, c.Labelled, c.Rows) }

// Coverage returns the share of the requests with a known label, at most 1
// (deliveries may repeat, and a label may be there before its request is
// counted); NaN without requests.
func (c Counts) Coverage() float64 { return Coverage(c.Labelled, c.Requests) }

// Coverage returns labelled / requests, between 0 and 1, for labels that are withdrawn
// leave a negative count for a moment; NaN without requests.
func Coverage(labelled, requests int64) float64 {
	if requests <= 0 {
		return math.NaN()
	}
	return min(max(float64(labelled)/float64(requests), 0), 1)
}

// Verdict returns insufficient with fewer than MinLabelled labels, missing
// without requests, and ok otherwise: an SLO judges accuracy, this does not.
func (c Counts) Verdict() string {
	switch {
	case c.Requests <= 0 && c.Labelled <= 0:
		return plumbline.VerdictMissing
	case c.Rows < MinLabelled:
		return plumbline.VerdictInsufficient
	}
	return plumbline.VerdictOK
}

//go:embed sql/counts.sql
var countsSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader reads counts by deploy.
type Reader struct {
	// Conn is where outcome_cells and series_minute are.
	Conn Querier
}

// Read returns the counts of every deploy and stage of a model that has
// requests or labels with event time in [from, to), training apart.
func (r Reader) Read(ctx context.Context, model plumbline.Model, from, to time.Time) ([]Counts, error) {
	all, err := r.ReadAll(ctx, []plumbline.Model{model}, from, to)
	return all[model], err
}

// ReadAll returns what Read does of several models, by model: those with nothing are
// left out.
func (r Reader) ReadAll(ctx context.Context, models []plumbline.Model, from, to time.Time) (all map[plumbline.Model][]Counts, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read quality of models %q: %w", models, err)
		}
	}()
	names := make([]string, len(models))
	for i, m := range models {
		names[i] = string(m)
	}
	rows, err := r.Conn.Query(ctx, countsSQL, clickhouse.Named("models", names),
		clickhouse.Named("from", from.Unix()), clickhouse.Named("to", to.Unix()))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all = make(map[plumbline.Model][]Counts)
	for rows.Next() {
		var (
			c                    Counts
			model, deploy, stage string
		)
		if err := rows.Scan(&model, &deploy, &stage, &c.Requests, &c.Labelled, &c.Correct, &c.Rows); err != nil {
			return nil, err
		}
		c.Deploy, c.Stage = plumbline.DeployHash(deploy), plumbline.Stage(stage)
		all[plumbline.Model(model)] = append(all[plumbline.Model(model)], c)
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	return all, nil
}
