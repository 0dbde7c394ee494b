package labels

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/plumbline-slo/plumbline/ingest/join"
)

// Bench is one measurement of what joining labels costs.
type Bench struct {
	// Predictions are stored, a million a day; Labels are of the last day's.
	Predictions, Labels int
	// Ordered makes identifiers that grow with time, not random ones.
	Ordered bool
}

// clockTick is the unit of CPU time in Linux's /proc, in seconds.
const clockTick = 0.01

// perDay is how many predictions a day has; those of a day are one insert.
const perDay = 1_000_000

// Rates are what a measurement found.
type Rates struct {
	// Labels is how many are joined per CPU-second, Predictions how many are put
	// into days_of_ids: of the engine and this process together.
	Labels, Predictions float64
	// Bytes is what the engine keeps on the disk.
	Bytes int64
}

// Run fills an empty database and measures.
func (b Bench) Run(ctx context.Context, e Engine) (Rates, error) {
	if err := b.fill(ctx, e); err != nil {
		return Rates{}, err
	}
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: e.DB})
	if err != nil {
		return Rates{}, err
	}
	indexing, err := b.spent(ctx, e, func() error {
		// There are no labels yet: the predictions are followed, and no more.
		for {
			if p, err := j.Step(ctx); err != nil || !p.More {
				return errors.Join(err, merged(ctx, e))
			}
		}
	})
	if err != nil {
		return Rates{}, err
	}
	if err := b.fillLabels(ctx, e); err != nil {
		return Rates{}, err
	}
	joined := uint64(0)
	joining, err := b.spent(ctx, e, func() error {
		for {
			p, err := j.Step(ctx)
			joined += p.Predictions
			if err != nil || !p.More {
				return err
			}
		}
	})
	if err != nil {
		return Rates{}, err
	}
	if joined != uint64(b.Labels) {
		return Rates{}, fmt.Errorf("%d labels were joined, want %d", joined, b.Labels)
	}
	bytes, err := stored(ctx, e)
	return Rates{float64(joined) / joining, float64(b.Predictions) / indexing, bytes}, err
}

// spent returns the CPU-seconds that f takes.
func (b Bench) spent(ctx context.Context, e Engine, f func() error) (float64, error) {
	// Merges of what was stored before are none of its cost.
	if err := merged(ctx, e); err != nil {
		return 0, err
	}
	before, err := cpu(e.PID(), os.Getpid())
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := cpu(e.PID(), os.Getpid())
	return after - before, err
}

// merged waits until the engine has merged what it would merge by itself: until it
// merges nothing for some seconds.
func merged(ctx context.Context, e Engine) error {
	for idle := 0; idle < 5; idle++ {
		var merging uint64
		if err := e.DB.Conn().QueryRow(ctx, "SELECT count() + sleep(1) FROM system.merges").Scan(&merging); err != nil {
			return fmt.Errorf("look for merges: %w", err)
		}
		if merging > 0 {
			idle = -1
		}
	}
	return nil
}

func stored(ctx context.Context, e Engine) (bytes int64, err error) {
	if err := e.DB.Conn().QueryRow(ctx, "SELECT toInt64(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = currentDatabase()").Scan(&bytes); err != nil {
		return 0, fmt.Errorf("size on disk: %w", err)
	}
	return bytes, nil
}

// fill makes the predictions day by day, the join's cursor behind them.
func (b Bench) fill(ctx context.Context, e Engine) error {
	for first := 0; first < b.Predictions; first += perDay {
		err := b.make(ctx, e, strings.ReplaceAll(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, score, predicted, weight, known, _topic, _epoch, _partition, _offset)
			SELECT 'm', 'a', 'production', $id, $known AS at, toFloat64(intHash32(n)) / 4294967296, if(n % 3 = 0, 'late', 'on_time'), 1, at, 'predictions', 'e', 0, n
			FROM (SELECT $first + number AS n FROM numbers(1000000))`, "$first", strconv.Itoa(first)))
		if err != nil {
			return err
		}
	}
	return b.make(ctx, e,
		`INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max)
			SELECT 'predictions', 'e', 0, min(n), max(n), 'predictions', min($known), max($known) FROM (SELECT number AS n FROM numbers($n)) GROUP BY intDiv(n, 20000)`,
		"INSERT INTO join_cursor (topic, epoch, partition, done) VALUES ('predictions', 'e', 0, $n - 1)")
}

// fillLabels makes labels, each of another prediction of the last day, in no order.
func (b Bench) fillLabels(ctx context.Context, e Engine) error {
	return b.make(ctx, e,
		`INSERT INTO labels (model, prediction_id, ts, label, known, _topic, _epoch, _partition, _offset)
			SELECT 'm', $id, at, if(n % 2 = 0, 'late', 'on_time'), toDateTime64('2027-01-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(number * 3) AS at, 'labels', 'e', 0, number
			FROM (SELECT number, $last + (number * 7919) % 1000000 AS n FROM numbers($labels))`,
		`INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max)
			SELECT _topic, _epoch, _partition, min(_offset), max(_offset), 'labels', min(known), max(known) FROM labels GROUP BY _topic, _epoch, _partition, intDiv(_offset, 20000)`)
}

// make lets the engine make rows, of whatever number n.
func (b Bench) make(ctx context.Context, e Engine, statements ...string) error {
	id := "lower(hex(sipHash128(n)))"
	if b.Ordered {
		id = "concat('0192', leftPad(lower(hex(n)), 28, '0'))"
	}
	const known = "toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(intDiv(n * 86400000, 1000000))"
	replace := strings.NewReplacer("$id", id, "$known", known, "$labels", strconv.Itoa(b.Labels), "$last", strconv.Itoa(b.Predictions-perDay), "$n", strconv.Itoa(b.Predictions))
	for _, s := range statements {
		if err := e.DB.Conn().Exec(ctx, replace.Replace(s)); err != nil {
			return fmt.Errorf("make %d predictions: %w", b.Predictions, err)
		}
	}
	return nil
}

// cpu is the CPU time of processes in seconds.
func cpu(pids ...int) (float64, error) {
	sum := 0.0
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		// The name of the process stands in brackets and may have spaces.
		_, rest, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(rest)
		for _, f := range fields[11:13] { // utime and stime
			ticks, err := strconv.ParseFloat(f, 64)
			if err != nil {
				return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
			}
			sum += ticks * clockTick
		}
	}
	return sum, nil
}
