package dataquality

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

// History is how far before a window the former type of a feature is looked
// for, beside the training rows, which count whatever their age.
const History = 7 * 24 * time.Hour

// exactRequests is the number of deliveries of an hour up to which every
// identifier is looked at: uniqExact of five million takes some 300 MB.
const exactRequests = 5_000_000

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader reads what is wrong with a model's events.
type Reader struct {
	// Conn is where the rollups and the table predictions are.
	Conn Querier
}

// TypeChange is a feature that some events of a deploy send with another type
// than before. Its values are kept: a number among the numbers, a text among the
// categories.
type TypeChange struct {
	Deploy  plumbline.DeployHash
	Stage   plumbline.Stage
	Feature plumbline.Feature
	// Numbers and Texts count the values of the window; booleans are texts.
	Numbers, Texts uint64
	// WasNumber is the type of most values before the window.
	WasNumber bool
}

// Share returns the share of the window's values that have the other type, in
// (0, 1].
func (c TypeChange) Share() float64 {
	other := c.Numbers
	if c.WasNumber {
		other = c.Texts
	}
	return float64(other) / float64(c.Numbers+c.Texts)
}

//go:embed sql/types.sql
var typesSQL string

// TypeChanges returns the features of a model whose type in [from, to) differs,
// in part or whole, from that of most of their values before: in the training
// rows and in History before from. Both ends count in whole hours.
func (r Reader) TypeChanges(ctx context.Context, model plumbline.Model, from, to time.Time) ([]TypeChange, error) {
	rows, err := r.Conn.Query(ctx, typesSQL, clickhouse.Named("model", string(model)),
		clickhouse.Named("since", from.Add(-History).Unix()), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", to.Unix()))
	if err != nil {
		return nil, fmt.Errorf("read types of the features of model %q: %w", model, err)
	}
	defer rows.Close()
	var all []TypeChange
	for rows.Next() {
		var (
			c                          TypeChange
			deploy, stage, feature     string
			numbersBefore, textsBefore uint64
		)
		if err := rows.Scan(&deploy, &stage, &feature, &c.Numbers, &c.Texts, &numbersBefore, &textsBefore); err != nil {
			return nil, fmt.Errorf("read types of the features of model %q: %w", model, err)
		}
		c.Deploy, c.Stage, c.Feature = plumbline.DeployHash(deploy), plumbline.Stage(stage), plumbline.Feature(feature)
		c.WasNumber = numbersBefore >= textsBefore
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read types of the features of model %q: %w", model, err)
	}
	return all, nil
}

// Repeats are the deliveries of one deploy in one hour.
type Repeats struct {
	Deploy plumbline.DeployHash
	Stage  plumbline.Stage
	// Deliveries counts those that were looked at, Repeated those of them whose
	// identifier had been delivered before within the hour.
	Deliveries, Repeated uint64
}

// Share returns the share of the deliveries that repeat another, in [0, 1).
func (r Repeats) Share() float64 { return float64(r.Repeated) / float64(r.Deliveries) }

//go:embed sql/repeats.sql
var repeatsSQL string

// Repeats counts the repeated deliveries of one hour, which has about so many
// requests. An hour of more than five million is sampled by identifier.
func (r Reader) Repeats(ctx context.Context, model plumbline.Model, hour time.Time, requests uint64) ([]Repeats, error) {
	rows, err := r.Conn.Query(ctx, repeatsSQL, clickhouse.Named("model", string(model)),
		clickhouse.Named("from", hour.UnixMilli()), clickhouse.Named("to", hour.Add(time.Hour).UnixMilli()),
		clickhouse.Named("classes", 1+requests/exactRequests))
	if err != nil {
		return nil, fmt.Errorf("read repeated deliveries of model %q: %w", model, err)
	}
	defer rows.Close()
	var all []Repeats
	for rows.Next() {
		var (
			d             Repeats
			deploy, stage string
		)
		if err := rows.Scan(&deploy, &stage, &d.Deliveries, &d.Repeated); err != nil {
			return nil, fmt.Errorf("read repeated deliveries of model %q: %w", model, err)
		}
		d.Deploy, d.Stage = plumbline.DeployHash(deploy), plumbline.Stage(stage)
		all = append(all, d)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read repeated deliveries of model %q: %w", model, err)
	}
	return all, nil
}
