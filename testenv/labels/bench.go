package labels

import (
	"context"
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

// Run fills an empty database and returns the labels joined per CPU-second, of
// the engine and this process together.
func (b Bench) Run(ctx context.Context, e Engine) (float64, error) {
	if err := b.fill(ctx, e); err != nil {
		return 0, err
	}
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: e.DB})
	if err != nil {
		return 0, err
	}
	before, err := cpu(e.PID(), os.Getpid())
	if err != nil {
		return 0, err
	}
	joined := uint64(0)
	for {
		p, err := j.Step(ctx)
		if err != nil {
			return 0, err
		}
		if joined += p.Predictions; !p.More {
			break
		}
	}
	after, err := cpu(e.PID(), os.Getpid())
	if err != nil {
		return 0, err
	}
	if joined != uint64(b.Labels) {
		return 0, fmt.Errorf("%d labels were joined, want %d", joined, b.Labels)
	}
	return float64(joined) / (after - before), nil
}

// fill makes the predictions day by day, and labels of the last day.
func (b Bench) fill(ctx context.Context, e Engine) error {
	id := "lower(hex(sipHash128(n)))"
	if b.Ordered {
		id = "concat('0192', leftPad(lower(hex(n)), 28, '0'))"
	}
	const known = "toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(intDiv(n * 86400000, 1000000))"
	replace := strings.NewReplacer("$id", id, "$known", known, "$labels", strconv.Itoa(b.Labels), "$last", strconv.Itoa(b.Predictions-perDay), "$n", strconv.Itoa(b.Predictions))
	statements := []string{}
	for first := 0; first < b.Predictions; first += perDay {
		statements = append(statements, strings.ReplaceAll(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, score, predicted, weight, known, _topic, _epoch, _partition, _offset)
			SELECT 'm', 'a', 'production', $id, $known AS at, toFloat64(intHash32(n)) / 4294967296, if(n % 3 = 0, 'late', 'on_time'), 1, at, 'predictions', 'e', 0, n
			FROM (SELECT $first + number AS n FROM numbers(1000000))`, "$first", strconv.Itoa(first)))
	}
	statements = append(statements,
		"INSERT INTO join_cursor (topic, epoch, partition, done) VALUES ('predictions', 'e', 0, $n - 1)",
		// Each label is of another prediction of the last day, in no order.
		`INSERT INTO labels (model, prediction_id, ts, label, known, _topic, _epoch, _partition, _offset)
			SELECT 'm', $id, at, if(n % 2 = 0, 'late', 'on_time'), toDateTime64('2027-01-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(number * 3) AS at, 'labels', 'e', 0, number
			FROM (SELECT number, $last + (number * 7919) % 1000000 AS n FROM numbers($labels))`,
		`INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max)
			SELECT _topic, _epoch, _partition, min(_offset), max(_offset), 'labels', min(known), max(known) FROM labels GROUP BY _topic, _epoch, _partition, intDiv(_offset, 20000)`)
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
