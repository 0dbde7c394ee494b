package labels

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/plumbline-slo/plumbline/ingest/join"
	"github.com/plumbline-slo/plumbline/storage"
)

// Bench is one measurement of what joining labels costs.
type Bench struct {
	// Sizes are what is stored, each in a database of its own.
	Sizes []Size
	// Labels are joined in a round, Rounds are measured of every size, a round of
	// each before the next one of any, so that what else the machine does meets all
	// sizes alike. They are of the predictions of the last Days days, as many of each
	// as of another, at most a million in all; a size that is shorter has all its days.
	Labels, Rounds, Days int
	// Ordered makes identifiers that grow with time, not random ones.
	Ordered bool
	// Log is told of progress.
	Log func(format string, args ...any)
}

// Size is what is stored before labels are joined: predictions, a million a day, and
// beside them so many labels of other identifiers, of as many days.
type Size struct{ Predictions, Labels int }

func (s Size) String() string {
	text := fmt.Sprintf("%d M stored predictions", s.Predictions/perDay)
	if s.Labels > 0 {
		text += fmt.Sprintf(" beside %d M stored labels", s.Labels/perDay)
	}
	return text
}

// perDay is how many predictions a day has; those of a day are one insert.
const perDay = 1_000_000

// Rates are what was found of one size.
type Rates struct {
	// Labels is how many are joined per CPU-second, in each round, Indexed how many
	// predictions and labels that were there before are put into days_by_id and
	// labels_by_id, 0 where they were there: of the engine and this process together.
	Labels  []float64
	Indexed float64
	// Bytes is what the engine keeps on the disk.
	Bytes int64
}

// Median is that of the rounds, in labels per CPU-second.
func (r Rates) Median() float64 {
	sorted := slices.Sorted(slices.Values(r.Labels))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// sized is the database of one size.
type sized struct {
	*Bench
	e  Engine
	db *storage.DB
	n  int
	// beside is the number of labels that were there before.
	beside int
	j      *join.Join
	// done is the number of labels that are joined.
	done int
}

// Run fills a database for each size, where that was not done before, and measures.
func (b *Bench) Run(ctx context.Context, e Engine) ([]Rates, error) {
	rates := make([]Rates, len(b.Sizes))
	var all []*sized
	for i, size := range b.Sizes {
		s, err := b.open(ctx, e, size)
		if err != nil {
			return nil, err
		}
		defer s.db.Close()
		all = append(all, s)
		if rates[i].Indexed, err = s.prepare(ctx); err != nil {
			return nil, err
		}
	}
	for round := range b.Rounds {
		for i, s := range all {
			rate, err := s.round(ctx)
			if err != nil {
				return nil, err
			}
			rates[i].Labels = append(rates[i].Labels, rate)
			b.Log("round %d of %d: %.0f labels per CPU-second at %s", round+1, b.Rounds, rate, b.Sizes[i])
		}
	}
	for i, s := range all {
		if err := s.db.Conn().QueryRow(ctx, "SELECT toInt64(sum(bytes_on_disk)) FROM system.parts WHERE active AND database = currentDatabase()").Scan(&rates[i].Bytes); err != nil {
			return nil, fmt.Errorf("size on disk: %w", err)
		}
	}
	return rates, nil
}

// open makes the database of a size, or finds it.
func (b *Bench) open(ctx context.Context, e Engine, size Size) (*sized, error) {
	cfg := storageConfig(e.DSN)
	cfg.Database = "n" + strconv.Itoa(size.Predictions)
	if size.Labels > 0 {
		cfg.Database += "_" + strconv.Itoa(size.Labels)
	}
	db, err := storage.New(cfg)
	if err != nil {
		return nil, err
	}
	if err := db.Migrate(ctx); err != nil {
		return nil, err
	}
	j, err := join.New(join.DefaultConfig(), join.Dependencies{DB: db})
	return &sized{Bench: b, e: e, db: db, n: size.Predictions, beside: size.Labels, j: j}, err
}

// prepare fills the database and has the join follow its predictions. It returns
// how many rows the join put into days_by_id and labels_by_id per CPU-second.
func (s *sized) prepare(ctx context.Context) (float64, error) {
	var batches, labels uint64
	if err := s.db.Conn().QueryRow(ctx, "SELECT (SELECT count() FROM batches), (SELECT count() FROM labels WHERE _partition = 0)").Scan(&batches, &labels); err != nil {
		return 0, fmt.Errorf("look for what is there: %w", err)
	}
	if s.done = int(labels); s.done+s.Labels*s.Rounds > perDay {
		return 0, fmt.Errorf("%d predictions have labels already, and %d rounds of %d want more than %d: remove the folder", s.done, s.Rounds, s.Labels, perDay)
	}
	if batches == 0 {
		if err := s.fill(ctx); err != nil {
			return 0, err
		}
	}
	indexing, err := s.spent(ctx, func() error { return s.follow(ctx, batches == 0) })
	if batches > 0 || err != nil {
		return 0, err
	}
	return float64(s.n+s.beside) / indexing, nil
}

// follow has the join put what is stored into days_by_id and labels_by_id: first those of former
// days, which the engine makes one part of when they are a day old. Nobody waits
// for that here, so it is asked to.
func (s *sized) follow(ctx context.Context, news bool) error {
	for _, span := range [][2]int{{0, s.n - perDay}, {s.n - perDay, s.n}} {
		if news && span[0] < span[1] {
			if err := s.stored(ctx, span[0], span[1]); err != nil {
				return err
			}
		}
		if _, err := s.drain(ctx); err != nil {
			return err
		}
		if span[1] == s.n {
			continue
		}
		if err := s.optimize(ctx, "days_by_id"); err != nil {
			return err
		}
	}
	if s.beside > 0 {
		if err := s.optimize(ctx, "labels_by_id"); err != nil {
			return err
		}
	}
	return s.merged(ctx)
}

func (s *sized) optimize(ctx context.Context, table string) error {
	if err := s.db.Conn().Exec(ctx, "OPTIMIZE TABLE "+table+" FINAL"); err != nil {
		return fmt.Errorf("merge %s: %w", table, err)
	}
	return nil
}

// stored says that batches with these offsets are complete.
func (s *sized) stored(ctx context.Context, from, to int) error {
	return s.make(ctx, strings.NewReplacer("$from", strconv.Itoa(from), "$count", strconv.Itoa(to-from)).Replace(
		`INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max, ts_min, ts_max)
			SELECT 'predictions', 'e', 0, min(n), max(n), 'predictions', min($known), max($known), min($known), max($known) FROM (SELECT $from + number AS n FROM numbers($count)) GROUP BY intDiv(n, 20000)`))
}

// round returns how many labels were joined per CPU-second.
func (s *sized) round(ctx context.Context) (float64, error) {
	if err := s.fillLabels(ctx); err != nil {
		return 0, err
	}
	joined := 0
	joining, err := s.spent(ctx, func() (err error) {
		joined, err = s.drain(ctx)
		return err
	})
	if err != nil {
		return 0, err
	}
	if joined != s.Labels {
		return 0, fmt.Errorf("%d labels were joined, want %d", joined, s.Labels)
	}
	s.done += joined
	return float64(joined) / joining, nil
}

// drain steps until nothing is left and returns how many predictions were joined.
func (s *sized) drain(ctx context.Context) (int, error) {
	joined := 0
	for {
		p, err := s.j.Step(ctx)
		joined += int(p.Predictions)
		if err != nil || !p.More {
			return joined, err
		}
	}
}

// spent returns the CPU-seconds that f takes.
func (s *sized) spent(ctx context.Context, f func() error) (float64, error) {
	// Merges of what was stored before are none of its cost.
	if err := s.merged(ctx); err != nil {
		return 0, err
	}
	before, err := cpu(s.e.PID(), os.Getpid())
	if err != nil {
		return 0, err
	}
	if err := f(); err != nil {
		return 0, err
	}
	after, err := cpu(s.e.PID(), os.Getpid())
	return after - before, err
}

// merged waits until the engine has merged what it would merge by itself: until it
// merges nothing for some seconds.
func (s *sized) merged(ctx context.Context) error {
	for idle := 0; idle < 3; idle++ {
		var merging uint64
		if err := s.db.Conn().QueryRow(ctx, "SELECT count() + sleep(1) FROM system.merges").Scan(&merging); err != nil {
			return fmt.Errorf("look for merges: %w", err)
		}
		if merging > 0 {
			idle = -1
		}
	}
	return nil
}

// makers is how many days are made at once.
const makers = 4

// fill makes the predictions day by day, those that are not there, and sets the
// join's cursor behind them.
func (s *sized) fill(ctx context.Context) error {
	var there []string
	million := strconv.Itoa(perDay)
	if err := s.db.Conn().QueryRow(ctx, "SELECT groupUniqArray(toString(intDiv(_offset, "+million+"))) FROM predictions WHERE _offset % "+million+" = 0").Scan(&there); err != nil {
		return fmt.Errorf("look for what is there: %w", err)
	}
	days, each := errgroup.WithContext(ctx)
	days.SetLimit(makers)
	for day := range s.n / perDay {
		if slices.Contains(there, strconv.Itoa(day)) {
			continue
		}
		days.Go(func() error {
			err := s.make(each, strings.ReplaceAll(`INSERT INTO predictions (model, deploy_hash, stage, prediction_id, ts, score, predicted, weight, known, _topic, _epoch, _partition, _offset)
				SELECT 'm', 'a', 'production', $id, $known AS at, toFloat64(intHash32(n)) / 4294967296, if(n % 3 = 0, 'late', 'on_time'), 1, at, 'predictions', 'e', 0, n
				FROM (SELECT $first + number AS n FROM numbers($perDay))`, "$first", strconv.Itoa(day*perDay)))
			if err == nil && (day+1)%10 == 0 {
				s.Log("%d of %d million predictions are made", day+1, s.n/perDay)
			}
			return err
		})
	}
	if err := days.Wait(); err != nil {
		return err
	}
	if err := s.make(ctx, "INSERT INTO join_cursor (topic, epoch, partition, done) VALUES ('predictions', 'e', 0, $n - 1)"); err != nil {
		return err
	}
	return s.fillBeside(ctx)
}

// fillBeside makes the labels that were there before, of identifiers that have no
// predictions, and sets the join's cursor behind them. They are of a partition of
// their own, a day an insert.
func (s *sized) fillBeside(ctx context.Context) error {
	if s.beside == 0 {
		return nil
	}
	if err := s.make(ctx, "TRUNCATE TABLE labels"); err != nil { // what a run left that was cut short
		return err
	}
	for day := range s.beside / perDay {
		err := s.make(ctx, strings.ReplaceAll(`INSERT INTO labels (model, prediction_id, ts, label, known, _topic, _epoch, _partition, _offset)
			SELECT 'm', lower(hex(sipHash128(n, 'another'))), $known AS at, 'late', at, 'labels', 'e', 1, n
			FROM (SELECT $first + number AS n FROM numbers($perDay))`, "$first", strconv.Itoa(day*perDay)))
		if err != nil {
			return err
		}
	}
	return s.make(ctx,
		`INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max, ts_min, ts_max)
			SELECT _topic, _epoch, _partition, min(_offset), max(_offset), 'labels', min(known), max(known), min(ts), max(ts) FROM labels WHERE _partition = 1 GROUP BY _topic, _epoch, _partition, intDiv(_offset, 20000)`,
		"INSERT INTO join_cursor (topic, epoch, partition, done) VALUES ('labels', 'e', 1, "+strconv.Itoa(s.beside-1)+")")
}

// fillLabels makes labels, each of another prediction of the last days, in no order.
// Those of a round become known in an hour in which no others did: a round sums
// what the one before did not.
func (s *sized) fillLabels(ctx context.Context) error {
	return s.make(ctx,
		`INSERT INTO labels (model, prediction_id, ts, label, known, _topic, _epoch, _partition, _offset)
			SELECT 'm', $id, at, if(n % 2 = 0, 'late', 'on_time'), toDateTime64('2027-01-01 00:00:00', 3, 'UTC') + toIntervalHour(intDiv($done, $labels)) + toIntervalMillisecond(intDiv(number * 3000000, $labels)) AS at, 'labels', 'e', 0, $done + number
			FROM (SELECT number, $n - $perDay * (1 + ($done + number) % $days) + (intDiv($done + number, $days) * 7919) % $perDay AS n FROM numbers($labels))`,
		`INSERT INTO batches (topic, epoch, partition, first, last, table, known_min, known_max, ts_min, ts_max)
			SELECT _topic, _epoch, _partition, min(_offset), max(_offset), 'labels', min(known), max(known), min(ts), max(ts) FROM labels WHERE _partition = 0 AND _offset >= $done GROUP BY _topic, _epoch, _partition, intDiv(_offset, 20000)`)
}

// make lets the engine make rows, of whatever number n.
func (s *sized) make(ctx context.Context, statements ...string) error {
	id := "lower(hex(sipHash128(n)))"
	if s.Ordered {
		id = "concat('0192', leftPad(lower(hex(n)), 28, '0'))"
	}
	const known = "toDateTime64('2026-01-01 00:00:00', 3, 'UTC') + toIntervalMillisecond(intDiv(n * 86400000, 1000000))"
	replace := strings.NewReplacer("$perDay", strconv.Itoa(perDay), "$id", id, "$known", known, "$labels", strconv.Itoa(s.Labels), "$done", strconv.Itoa(s.done),
		"$days", strconv.Itoa(min(s.Days, s.n/perDay)), "$n", strconv.Itoa(s.n))
	for _, statement := range statements {
		if err := s.db.Conn().Exec(ctx, replace.Replace(statement)); err != nil {
			return fmt.Errorf("make %d predictions: %w", s.n, err)
		}
	}
	return nil
}
