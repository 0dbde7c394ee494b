package concept

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage/grid"
)

// exactPredictions is the number of labelled predictions up to which each one is
// looked at; of more, those of one hash class of their identifiers.
const exactPredictions = 1_000_000

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Reader counts labels in the table outcomes.
type Reader struct {
	// Conn is where the table is.
	Conn Querier
}

//go:embed sql/delay.sql
var delaySQL string

//go:embed sql/counts.sql
var countsSQL string

// Delay returns how many predictions of a model in [from, to) have a label, and
// within what time nine of ten of those came: 0 where there is none. Of more
// than some thousand labels that is estimated from a sample by the identifiers,
// the same one every time, whose rank is right to about one in a hundred.
func (r Reader) Delay(ctx context.Context, model plumbline.Model, from, to time.Time) (labels uint64, delay time.Duration, err error) {
	rows, err := r.Conn.Query(ctx, delaySQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", to.Unix()))
	if err != nil {
		return 0, 0, fmt.Errorf("read label delay of model %q: %w", model, err)
	}
	defer rows.Close()
	var seconds int64
	for rows.Next() {
		if err := rows.Scan(&labels, &seconds); err != nil {
			return 0, 0, fmt.Errorf("read label delay of model %q: %w", model, err)
		}
	}
	return labels, time.Duration(seconds) * time.Second, rows.Err()
}

// Query names the predictions whose labels are counted.
type Query struct {
	Model plumbline.Model
	// From and Split bound the reference, Split and To the window, in event time
	// of the prediction; Split and To are exclusive ends.
	From, Split, To time.Time
	// Delay is how long after its prediction a label may have come.
	Delay time.Duration
	// Labels is about how many predictions have one.
	Labels uint64
}

// Periods are the labels of a reference and a window, by deploy.
type Periods struct {
	Before, Now map[plumbline.DeployHash]Labels
}

// Labels are the labels of some predictions.
type Labels struct {
	// Strata counts predictions by stratum, then label. Of a regression the
	// labels are whether the truth was above the prediction.
	Strata map[string]map[string]uint64
	// Classes counts labels that are classes, Buckets those that are numbers, by
	// bucket of grid.Full.
	Classes map[string]uint64
	Buckets map[int32]uint64
}

// Total returns the number of labelled predictions.
func (l Labels) Total() uint64 {
	var n uint64
	for _, cells := range l.Strata {
		for _, c := range cells {
			n += c
		}
	}
	return n
}

// Kinds returns how many labels are classes and how many are numbers.
func (l Labels) Kinds() (classes, numbers uint64) {
	for _, n := range l.Buckets {
		numbers += n
	}
	return total(l.Classes), numbers
}

func newLabels() Labels {
	return Labels{Strata: map[string]map[string]uint64{}, Classes: map[string]uint64{}, Buckets: map[int32]uint64{}}
}

// Merge returns the labels of several deploys and periods together.
func Merge(periods ...map[plumbline.DeployHash]Labels) Labels {
	sum := newLabels()
	for _, deploys := range periods {
		for _, l := range deploys {
			sum.merge(l)
		}
	}
	return sum
}

func (l Labels) merge(other Labels) {
	for stratum, cells := range other.Strata {
		for cell, n := range cells {
			l.add(stratum, cell, n)
		}
	}
	for class, n := range other.Classes {
		l.Classes[class] += n
	}
	for bucket, n := range other.Buckets {
		l.Buckets[bucket] += n
	}
}

func (l Labels) add(stratum, cell string, n uint64) {
	if l.Strata[stratum] == nil {
		l.Strata[stratum] = map[string]uint64{}
	}
	l.Strata[stratum][cell] += n
}

// Count returns the labels of both periods. The label of a prediction is the one
// that became known last within the delay.
func (r Reader) Count(ctx context.Context, q Query) (Periods, error) {
	p := Periods{Before: map[plumbline.DeployHash]Labels{}, Now: map[plumbline.DeployHash]Labels{}}
	statement := strings.Replace(countsSQL, "/*bucket*/", grid.SQLBucket("assumeNotNull(truth.2)"), 1)
	rows, err := r.Conn.Query(ctx, statement, clickhouse.Named("model", string(q.Model)),
		clickhouse.Named("from", q.From.Unix()), clickhouse.Named("split", q.Split.Unix()), clickhouse.Named("to", q.To.Unix()),
		clickhouse.Named("delay", int64(q.Delay/time.Second)), clickhouse.Named("classes", 1+q.Labels/exactPredictions))
	if err != nil {
		return Periods{}, fmt.Errorf("count labels of model %q: %w", q.Model, err)
	}
	defer rows.Close()
	for rows.Next() {
		var (
			recent                bool
			deploy, stratum, cell string
			bucket                *int32
			n                     uint64
		)
		if err := rows.Scan(&recent, &deploy, &stratum, &cell, &bucket, &n); err != nil {
			return Periods{}, fmt.Errorf("count labels of model %q: %w", q.Model, err)
		}
		into := p.Before
		if recent {
			into = p.Now
		}
		hash := plumbline.DeployHash(deploy)
		if _, ok := into[hash]; !ok {
			into[hash] = newLabels()
		}
		switch {
		case bucket != nil:
			into[hash].Buckets[*bucket] += n
		case cell != "":
			into[hash].Classes[cell] += n
		}
		if cell != "" {
			into[hash].add(stratum, cell, n)
		}
	}
	if err := rows.Err(); err != nil {
		return Periods{}, fmt.Errorf("count labels of model %q: %w", q.Model, err)
	}
	return p, nil
}
