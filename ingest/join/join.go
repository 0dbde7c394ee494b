package join

import (
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// Join follows stored predictions and labels. Make it with New; Step may be
// called from several goroutines and processes at once, Run once by each.
type Join struct {
	cfg     Config
	db      *storage.DB
	log     *slog.Logger
	metrics *metrics
	// before is called before each statement that writes; tests kill a step
	// there.
	before func(statement string) error
	now    func() time.Time
	// raw is the retention of raw rows.
	raw time.Duration
	// told bounds the hashes that the statements of a step are told; tests lower it.
	told int
	// member is this process among members, those that were there when it last
	// looked; without any, everything is its own.
	member  string
	mu      sync.Mutex
	members []string
	// failure is the error of the last step.
	failure error
}

// New does nothing but check the configuration.
func New(cfg Config, deps Dependencies) (*Join, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if deps.DB == nil {
		return nil, fmt.Errorf("join: no database")
	}
	log := deps.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(deps.Registerer)
	if err != nil {
		return nil, fmt.Errorf("join: %w", err)
	}
	return &Join{cfg: cfg, db: deps.DB, log: log, metrics: m, before: func(string) error { return nil }, now: time.Now, raw: deps.DB.Retention().Raw, told: maxTold, member: rand.Text()}, nil
}

// Progress says what one step did.
type Progress struct {
	// Labels is the number of new label rows the step followed.
	Labels uint64
	// Waiting is how many of them have no prediction yet. They are joined when
	// it arrives.
	Waiting uint64
	// Misdirected is how many of those that wait name a model that has no
	// prediction of their id where another one has: keys that a producer mixed up.
	// They are never applied.
	Misdirected uint64
	// Late is the number of labels that came after the retention of their
	// prediction. They are never applied.
	Late uint64
	// Predictions is the number of predictions whose history was computed.
	Predictions uint64
	// More tells that stored batches are left for the next step.
	More bool
}

// Run steps until the context ends. Processes that run at once share the topic
// partitions. A step that ends in an error is counted,
// logged and repeated after the pause: it left nothing half done that its
// repetition does not replace. Run itself only returns nil.
func (j *Join) Run(ctx context.Context) error {
	there := make(chan struct{})
	var beats sync.WaitGroup
	beats.Go(func() { j.keepBeating(ctx, there) })
	defer func() {
		beats.Wait()
		j.leave(ctx)
	}()
	select {
	case <-ctx.Done():
		return nil
	case <-there:
	}
	for {
		begun := j.now()
		progress, err := j.Step(ctx)
		if !rest(ctx, j.after(ctx, progress, err, j.now().Sub(begun))) {
			return nil
		}
	}
}

// after takes note of what became of a step and returns the pause after it.
func (j *Join) after(ctx context.Context, progress Progress, err error, took time.Duration) time.Duration {
	// At least as long as the step took: the fewer labels a step has, the more
	// of its time goes into what they share with those before.
	pause := max(j.cfg.Interval, took)
	if err == nil && progress.More {
		pause = 0
	}
	if err != nil && ctx.Err() != nil {
		return pause // the end, no failure
	}
	j.mu.Lock()
	j.failure = err
	j.mu.Unlock()
	if err != nil {
		j.metrics.errors.Inc()
		j.log.Error("join step will be repeated", "err", err, "after", pause)
	}
	return pause
}

// Failure returns the error of the last step of Run, nil where it succeeded.
func (j *Join) Failure() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.failure
}

// rest reports whether the context lasted that long.
func rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// Step follows what is stored beyond the cursors, up to the configured bound,
// and returns when outcomes, cells and cursors say so. It may be repeated or
// run twice at once; killed anywhere, the next step gets the same rows.
func (j *Join) Step(ctx context.Context) (Progress, error) {
	if err := j.index(ctx); err != nil {
		return Progress{}, err
	}
	w, err := j.find(ctx)
	if err != nil || w.empty() {
		return Progress{}, err
	}
	begun, err := j.begin(ctx, w)
	if err != nil {
		return Progress{}, err
	}
	var progress Progress
	if begun.touches() {
		if progress, err = j.touch(ctx, begun); err != nil {
			return Progress{}, err
		}
	}
	if err := j.saveCursors(ctx, plumbline.TableJoinCursor, w.advance); err != nil {
		return Progress{}, err
	}
	progress.More = w.more
	j.metrics.count(progress)
	return progress, nil
}

// touch brings outcomes, cells and hours of what is new up to date.
func (j *Join) touch(ctx context.Context, s step) (Progress, error) {
	progress, err := s.counts(ctx)
	if err != nil || progress.Predictions == 0 {
		return progress, err
	}
	if err := j.write(ctx, plumbline.TableOutcomes, s.sql(outcomesSQL), s.parameters); err != nil {
		return Progress{}, err
	}
	// Cells are summed after the outcomes are stored: of two processes that
	// write to one minute, the one that sums last has seen both.
	if err := j.sum(ctx, s); err != nil {
		return Progress{}, err
	}
	return progress, j.mend(ctx, s)
}

// counts returns what new labels meet.
func (s *step) counts(ctx context.Context) (p Progress, err error) {
	row := s.db.Conn().QueryRow(ctx, s.sql(countsSQL), s.parameters...)
	if err := row.Scan(&p.Labels, &p.Waiting, &p.Late, &p.Predictions); err != nil {
		return Progress{}, fmt.Errorf("count what is new: %w", err)
	}
	if p.Waiting == 0 {
		return p, nil
	}
	if err := s.db.Conn().QueryRow(ctx, s.sql(misdirectedSQL), s.parameters...).Scan(&p.Misdirected); err != nil {
		return Progress{}, fmt.Errorf("look for labels of other models: %w", err)
	}
	return p, nil
}

// oldest is the start of the first hour, in Unix milliseconds, of which no row has
// expired. An hour is kept apart for the difference of clocks and the length of a
// step.
func (j *Join) oldest() int64 {
	if j.raw == 0 {
		return 0
	}
	return max(0, j.now().Add(time.Hour-j.raw).UnixMilli())
}

func (j *Join) write(ctx context.Context, table plumbline.TableName, statement string, parameters []any) error {
	if err := j.before(string(table)); err != nil {
		return err
	}
	db := j.db.Derived()
	statement = strings.Replace(statement, "INSERT INTO "+string(table), "INSERT INTO "+db.Local(table), 1)
	if err := db.Conn().Exec(j.repeatable(ctx), statement, parameters...); err != nil {
		return fmt.Errorf("write %s: %w", table, err)
	}
	return nil
}

// repeatable gives a statement a deduplication token of its own: rows written
// again replace their like, but a ClickHouse that was killed after it noted
// their hash and before it kept them would drop them ever after. What a cursor
// says is done must not be lost with one replica.
//
// A step writes into as many days as its labels have predictions on, a file of
// chargebacks into a year of them: ClickHouse's bound of 100 partitions refuses the
// same step for ever.
func (j *Join) repeatable(ctx context.Context) context.Context {
	return clickhouse.Context(ctx, clickhouse.WithSettings(j.db.Derived().Durably(clickhouse.Settings{
		"insert_deduplication_token": rand.Text(), "max_partitions_per_insert_block": 0,
	})))
}

// saveCursors is the last write of a step: what it says is done is stored.
func (j *Join) saveCursors(ctx context.Context, table plumbline.TableName, queues []queue) error {
	if err := j.before(string(table)); err != nil {
		return err
	}
	db := j.db.Derived()
	cursors, err := db.Conn().PrepareBatch(j.repeatable(ctx), "INSERT INTO "+db.Local(table)+" (topic, epoch, partition, done)", driver.WithReleaseConnection())
	if err != nil {
		return fmt.Errorf("write %s: %w", table, err)
	}
	for _, q := range queues {
		if err := cursors.Append(q.topic, q.epoch, q.number, q.batches[len(q.batches)-1].last); err != nil {
			return fmt.Errorf("write %s: %w", table, err)
		}
	}
	if err := cursors.Send(); err != nil {
		return fmt.Errorf("write %s: %w", table, err)
	}
	return nil
}
