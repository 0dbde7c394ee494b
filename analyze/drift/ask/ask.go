package ask

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/analyze/drift"
	"github.com/plumbline-slo/plumbline/analyze/drift/alarm"
	"github.com/plumbline-slo/plumbline/analyze/drift/cluster"
)

// Asker answers questions. Make it with New; it is safe for concurrent use.
type Asker struct {
	reader   drift.Reader
	clusters Clusters
	now      func() time.Time
	kept     *windows
	choices  *choices
}

// Clusters says how much events that belong together make counts vary, at the
// end of a window; false if the model does not say what belongs together.
// cluster.Keeper is one.
type Clusters interface {
	Effects(ctx context.Context, model plumbline.Model, stage plumbline.Stage, end time.Time) (cluster.Effects, bool, error)
}

// New returns an Asker over the rollups behind the connection.
func New(cfg Config, conn drift.Querier) (*Asker, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("ask: %w", err)
	}
	if conn == nil {
		return nil, errors.New("ask: no database")
	}
	return &Asker{
		reader: drift.Reader{Conn: conn}, now: time.Now,
		kept:    &windows{cfg: cfg, kept: map[string]keptWindow{}},
		choices: &choices{made: map[string]alarm.Choice{}},
	}, nil
}

// Clustered returns an asker of the same rollups and the same memory that
// widens noise by what is known of clusters.
func (a *Asker) Clustered(by Clusters) *Asker {
	clustered := *a
	clustered.clusters = by
	return &clustered
}

// Ask answers a question. It reads each reference at most every Config.KeepFor,
// and so the window's hours that have ended a while ago, unless something was
// added to them; the others it reads anew. What cannot be compared is a row with
// the reason, not an error.
func (a *Asker) Ask(ctx context.Context, q Question) (Answer, error) {
	q, err := q.settled()
	if err != nil {
		return Answer{}, fmt.Errorf("drift of model %q: %w", q.Model, err)
	}
	answer := Answer{Model: q.Model, Deploys: q.Deploys, Stage: q.Stage, Segment: q.Segment, From: q.From, To: q.To}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	read := make(chan error, 1)
	go func() {
		var err error
		answer.Current, err = a.current(ctx, q)
		read <- err
	}()
	references, err := a.resolve(ctx, q)
	if err != nil {
		cancel()
	}
	if err := errors.Join(err, <-read); err != nil {
		return Answer{}, fmt.Errorf("drift of model %q: %w", q.Model, err)
	}
	answer.References = references
	if err := answer.cluster(ctx, a.clusters, q); err != nil {
		return Answer{}, fmt.Errorf("drift of model %q: %w", q.Model, err)
	}
	if err := answer.compare(ctx, q); err != nil {
		return Answer{}, fmt.Errorf("drift of model %q: %w", q.Model, err)
	}
	if q.Why {
		if err := a.explain(ctx, q, &answer); err != nil {
			return Answer{}, fmt.Errorf("drift of model %q: %w", q.Model, err)
		}
	}
	return answer, nil
}

// cluster fills in what is known of clusters.
func (a *Answer) cluster(ctx context.Context, by Clusters, q Question) error {
	if by == nil {
		return nil
	}
	effects, declared, err := by.Effects(ctx, q.Model, q.Stage, q.To)
	if err == nil && declared {
		a.Clusters = &effects
	}
	return err
}

// Forget drops what is kept of a model: what was read of it is no longer so.
func (a *Asker) Forget(model plumbline.Model) {
	a.kept.forget(model)
	a.choices.forget(model)
}

// Window returns the sum of windows of one model, read now or less than
// Config.KeepFor ago.
func (a *Asker) Window(ctx context.Context, queries []drift.Query) (drift.Window, error) {
	key, now := keyOfQueries(queries...), a.now()
	if w, ok := a.kept.get(key, now); ok {
		return w, nil
	}
	w, err := a.reader.Sum(ctx, queries...)
	if err != nil {
		return drift.Window{}, err
	}
	a.kept.put(key, w, now)
	return w, nil
}

// closes is how long after its end an hour is taken as one that rarely changes.
const closes = 2 * time.Hour

// current reads the window in question. What is kept of its closed hours is
// another one once a further hour has closed.
func (a *Asker) current(ctx context.Context, q Question) (drift.Window, error) {
	now := a.now()
	until := now.Add(-closes).Truncate(time.Hour)
	closed := q.query()
	if closed.To.After(until) {
		closed.To = until
	}
	key := keyOfQueries(closed) + " closed"
	before, _ := a.kept.find(key, now)
	w, after, err := a.reader.ReadAgain(ctx, q.query(), until, before.closed)
	if err == nil && after != nil && after != before.closed {
		a.kept.keep(key, keptWindow{closed: after, at: now, size: (windowBytes + len(key) + after.Bytes()) / bucketBytes})
	}
	return w, err
}

// compare fills in the rows, several series at a time, or stops when the context
// ends.
func (a *Answer) compare(ctx context.Context, q Question) error {
	series := a.series(q)
	var (
		wait sync.WaitGroup
		rows = make([][]Row, len(series))
		errs = make([]error, len(series))
		next = make(chan int)
	)
	for range workers {
		wait.Go(func() {
			for i := range next {
				rows[i], errs[i] = a.rows(q, series[i])
			}
		})
	}
	for i := range series {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wait.Wait()
	if err := context.Cause(ctx); err != nil {
		return fmt.Errorf("compare %d series: %w", len(series), err)
	}
	for _, r := range rows {
		a.Rows = append(a.Rows, r...)
	}
	sortByEffect(a.Rows)
	return errors.Join(errs...)
}

// workers is how many series are compared at a time.
const workers = 4

// series returns what is compared: what was asked for, or all that the window or
// a reference has.
func (a *Answer) series(q Question) []plumbline.Series {
	if len(q.Series) > 0 {
		return q.Series
	}
	all, seen := a.Current.Series(), map[plumbline.Series]bool{}
	for _, s := range all {
		seen[s] = true
	}
	for _, r := range a.References {
		for _, s := range r.Window.Series() {
			if !seen[s] {
				seen[s] = true
				all = append(all, s)
			}
		}
	}
	return all
}
