package history

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/estimate"
)

//go:embed sql/cells.sql
var cellsSQL string

//go:embed sql/waits.sql
var waitsSQL string

//go:embed sql/came.sql
var cameSQL string

//go:embed sql/classes.sql
var classesSQL string

// Reader reads score_cells as known at an hour.
type Reader struct {
	// Conn is where score_cells and categories_hour are.
	Conn Querier
}

// Cell is the predictions of one stratum, class and bucket of the score.
type Cell struct {
	// Part numbers the part of the range that was asked for, from 0.
	Part    int
	Deploy  plumbline.DeployHash
	Stratum estimate.Stratum
	// Predicted is the class of a binary model, empty for others.
	Predicted string
	Bucket    int32
	// Predictions are all, Labelled those with a label that was known, Correct
	// those of them that were right.
	Predictions, Labelled, Correct int64
	// All, Known and Right are what those three weigh.
	All, Known, Right estimate.Weight
	// Score is the sum of the scores over requests. Loss and LossSquares are sums over
	// the requests of the labelled predictions of a regression.
	Score, Loss, LossSquares float64
}

// Unscored is the bucket of predictions that have neither a score nor a number.
const Unscored int32 = -100000

// Mean is the mean score, the middle of the bucket where no prediction is counted.
func (c Cell) Mean() float64 { return c.Score / max(c.All.Requests, 1) }

// MeanLoss is the mean loss of the labelled predictions of a regression, and its
// variance among them; 0 without any.
func (c Cell) MeanLoss() (mean, variance float64) {
	n := c.Known.Requests
	if n <= 0 {
		return 0, 0
	}
	mean = c.Loss / n
	return mean, max(c.LossSquares/n-mean*mean, 0)
}

// Waiting is how many predictions have no label, and what they weigh.
func (c Cell) Waiting() estimate.Tally {
	return estimate.Tally{Count: c.Predictions, Weight: c.All}.Less(c.Labels())
}

// Hits is how many labelled predictions were right, and what they weigh.
func (c Cell) Hits() estimate.Tally { return estimate.Tally{Count: c.Correct, Weight: c.Right} }

// Labels is how many predictions have a label, and what they weigh.
func (c Cell) Labels() estimate.Tally { return estimate.Tally{Count: c.Labelled, Weight: c.Known} }

// Later returns the cell with the labels alone that it has beyond those of an
// earlier one, as if no other prediction had been made.
func (c Cell) Later(than Cell) Cell {
	known, right := c.Labels().Less(than.Labels()), c.Hits().Less(than.Hits())
	if c.Predictions > 0 {
		c.Score *= known.Weight.Requests / max(c.All.Requests, 1) // the mean stays what it is
	}
	c.Predictions, c.All = known.Count, known.Weight
	c.Labelled, c.Known, c.Correct, c.Right = known.Count, known.Weight, right.Count, right.Weight
	c.Loss, c.LossSquares = c.Loss-than.Loss, max(c.LossSquares-than.LossSquares, 0)
	c.settle()
	return c
}

// Wrong is how many labelled predictions were not right, and what they weigh.
func (c Cell) Wrong() estimate.Tally {
	return c.Labels().Less(c.Hits())
}

// settle keeps labels that were withdrawn from counting: one may have been counted
// in another bucket.
func (c *Cell) settle() {
	known, right := c.Labels().Less(estimate.Tally{}), c.Hits().Less(estimate.Tally{})
	if right.Count >= known.Count {
		right = known
	}
	c.Labelled, c.Known, c.Correct, c.Right = known.Count, known.Weight, right.Count, right.Weight
}

// Range is what is asked: predictions in [From, To) with the labels that were
// known before At, all of them whole hours. A range that ends after At would look
// ahead and is refused.
type Range struct {
	From, To, At time.Time
	// Part is the length of the parts that cells are told apart by; 0 is one.
	Part time.Duration
	// Within leaves out labels that took longer, to the hour; 0 takes all. Delays
	// knows nothing of it.
	Within time.Duration
}

func (r Range) check() error {
	for _, t := range []time.Time{r.From, r.To, r.At} {
		if !t.Equal(t.Truncate(time.Hour)) {
			return fmt.Errorf("history of [%s, %s) at %s: these are not whole hours", r.From, r.To, r.At)
		}
	}
	if r.To.After(r.At) || r.To.Before(r.From) {
		return fmt.Errorf("history of [%s, %s) at %s: the range is not over by then", r.From, r.To, r.At)
	}
	if r.Within < 0 {
		return fmt.Errorf("history of [%s, %s) at %s: no label comes within %s", r.From, r.To, r.At, r.Within)
	}
	return nil
}

func (r Reader) query(ctx context.Context, statement string, s Scope, asked Range) (driver.Rows, error) {
	if err := asked.check(); err != nil {
		return nil, err
	}
	part := asked.Part
	if part == 0 {
		part = max(asked.To.Sub(asked.From), time.Hour)
	}
	within := asked.Within
	if within == 0 {
		within = math.MaxInt64
	}
	return r.Conn.Query(ctx, statement, clickhouse.Named("model", string(s.Model)), clickhouse.Named("strata", s.Definition()),
		clickhouse.Named("from", asked.From.Unix()), clickhouse.Named("to", asked.To.Unix()), clickhouse.Named("at", asked.At.Unix()),
		clickhouse.Named("part", int64(part/time.Second)), clickhouse.Named("within", int64(within/time.Second)))
}

// Cells returns the production predictions of a range in the order of its parts.
func (r Reader) Cells(ctx context.Context, s Scope, asked Range) ([]Cell, error) {
	rows, err := r.query(ctx, cellsSQL, s, asked)
	if err != nil {
		return nil, fmt.Errorf("read scores of model %q: %w", s.Model, err)
	}
	defer rows.Close()
	var all []Cell
	for rows.Next() {
		var (
			c       Cell
			part    int64
			deploy  string
			stratum int32
		)
		if err := rows.Scan(&part, &deploy, &stratum, &c.Predicted, &c.Bucket, &c.Predictions, &c.All.Requests, &c.All.Squares, &c.Score,
			&c.Labelled, &c.Known.Requests, &c.Known.Squares, &c.Correct, &c.Right.Requests, &c.Right.Squares, &c.Loss, &c.LossSquares); err != nil {
			return nil, fmt.Errorf("read scores of model %q: %w", s.Model, err)
		}
		c.Part, c.Deploy, c.Stratum = int(part), plumbline.DeployHash(deploy), estimate.Stratum(stratum)
		c.settle()
		all = append(all, c)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read scores of model %q: %w", s.Model, err)
	}
	return all, nil
}

// Hour is the predictions of one stratum, hour and deploy.
type Hour struct {
	Stratum estimate.Stratum
	Deploy  plumbline.DeployHash
	// Time is the start of the hour.
	Time                  time.Time
	Predictions, Labelled int64
}

// Delays is what is known of the labels of a range at an hour.
type Delays struct {
	At    time.Time
	Hours []Hour
	// Came are the labels by stratum and delay.
	Came map[estimate.Stratum][]estimate.Wait
}

// Delays reads which labels came after how long, and which predictions wait.
func (r Reader) Delays(ctx context.Context, s Scope, asked Range) (Delays, error) {
	fail := func(err error) (Delays, error) {
		return Delays{}, fmt.Errorf("read label delays of model %q: %w", s.Model, err)
	}
	d := Delays{At: asked.At, Came: map[estimate.Stratum][]estimate.Wait{}}
	waits, err := r.query(ctx, waitsSQL, s, asked)
	if err != nil {
		return fail(err)
	}
	defer waits.Close()
	for waits.Next() {
		var (
			h       Hour
			stratum int32
			hour    int64
			deploy  string
		)
		if err := waits.Scan(&stratum, &hour, &deploy, &h.Predictions, &h.Labelled); err != nil {
			return fail(err)
		}
		h.Stratum, h.Deploy, h.Time = estimate.Stratum(stratum), plumbline.DeployHash(deploy), time.Unix(hour, 0).UTC()
		h.Labelled = min(max(h.Labelled, 0), h.Predictions)
		d.Hours = append(d.Hours, h)
	}
	if err := waits.Err(); err != nil {
		return fail(err)
	}
	came, err := r.query(ctx, cameSQL, s, asked)
	if err != nil {
		return fail(err)
	}
	defer came.Close()
	for came.Next() {
		var (
			stratum        int32
			seconds, count int64
		)
		if err := came.Scan(&stratum, &seconds, &count); err != nil {
			return fail(err)
		}
		d.Came[estimate.Stratum(stratum)] = append(d.Came[estimate.Stratum(stratum)], estimate.Wait{Delay: time.Duration(seconds) * time.Second, Known: true, Count: count})
	}
	if err := came.Err(); err != nil {
		return fail(err)
	}
	return d, nil
}

// age is how old the predictions of an hour are: those of its middle.
func (d Delays) age(h Hour) time.Duration { return d.At.Sub(h.Time) - 30*time.Minute }

// Curves returns the delay curve of every stratum.
func (d Delays) Curves() map[estimate.Stratum]estimate.Curve {
	waits := make(map[estimate.Stratum][]estimate.Wait)
	for stratum, came := range d.Came {
		waits[stratum] = slices.Clone(came)
	}
	for _, h := range d.Hours {
		if n := h.Predictions - h.Labelled; n > 0 {
			waits[h.Stratum] = append(waits[h.Stratum], estimate.Wait{Delay: d.age(h), Count: n})
		}
	}
	curves := make(map[estimate.Stratum]estimate.Curve, len(waits))
	for stratum, w := range waits {
		curves[stratum] = estimate.NewCurve(w)
	}
	return curves
}

// Curve returns the delay curve of all strata together.
func (d Delays) Curve() estimate.Curve {
	var waits []estimate.Wait
	for _, came := range d.Came {
		waits = append(waits, came...)
	}
	for _, h := range d.Hours {
		if n := h.Predictions - h.Labelled; n > 0 {
			waits = append(waits, estimate.Wait{Delay: d.age(h), Count: n})
		}
	}
	return estimate.NewCurve(waits)
}

// Batches returns the predictions of [from, to) of one deploy, or of all where it
// is empty, for estimate.Maturity.
func (d Delays) Batches(from, to time.Time, deploy plumbline.DeployHash) []estimate.Batch {
	var out []estimate.Batch
	for _, h := range d.Hours {
		if h.Time.Before(from) || !h.Time.Before(to) || deploy != "" && h.Deploy != deploy {
			continue
		}
		out = append(out, estimate.Batch{Stratum: h.Stratum, Age: d.age(h), Known: h.Labelled, Waiting: h.Predictions - h.Labelled})
	}
	return out
}

// Classes returns the classes that a model predicted in a range of hours, in
// order, the three most frequent if there are more: none for a regression.
func (r Reader) Classes(ctx context.Context, model plumbline.Model, from, to time.Time) ([]string, error) {
	rows, err := r.Conn.Query(ctx, classesSQL, clickhouse.Named("model", string(model)), clickhouse.Named("from", from.Unix()), clickhouse.Named("to", to.Unix()))
	if err != nil {
		return nil, fmt.Errorf("read classes of model %q: %w", model, err)
	}
	defer rows.Close()
	var classes []string
	for rows.Next() {
		var (
			value string
			n     uint64
		)
		if err := rows.Scan(&value, &n); err != nil {
			return nil, fmt.Errorf("read classes of model %q: %w", model, err)
		}
		classes = append(classes, value)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read classes of model %q: %w", model, err)
	}
	slices.Sort(classes)
	return classes, nil
}
