package history

import (
	"context"
	"crypto/rand"
	_ "embed" // the statements
	"fmt"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/stale_hours.sql
var staleHoursSQL string

//go:embed sql/stale_known.sql
var staleKnownSQL string

//go:embed sql/roll_hours.sql
var rollHoursSQL string

//go:embed sql/roll_known.sql
var rollKnownSQL string

//go:embed sql/features.sql
var featuresSQL string

// bucketSQL is the bucket of x: log odds of a probability, else quarters of an
// octave of its size.
const bucketSQL = `multiIf(
    x IS NULL OR NOT isFinite(assumeNotNull(x)), toInt32(-100000),
    predicted != '' AND x >= 0 AND x <= 1, toInt32(round(4 * least(greatest(log(greatest(assumeNotNull(x), 1e-6) / greatest(1 - assumeNotNull(x), 1e-6)), -7), 7))),
    abs(assumeNotNull(x)) < 1e-30, toInt32(0),
    toInt32(sign(assumeNotNull(x))) * (1500 + toInt32(floor(4 * log2(abs(assumeNotNull(x)))))))`

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Writer runs one statement that writes; clickhouse-go's driver.Conn is one.
type Writer interface {
	Exec(ctx context.Context, query string, args ...any) error
}

// Roller writes score_cells.
type Roller struct {
	// Conn is where the sources are, To where score_cells is written.
	Conn Querier
	To   Writer
	// Table is the name of score_cells where To writes; empty is its own.
	Table string
	// Raw is how long raw rows are kept: what they cannot tell any more, or not for a
	// day to come, is not counted again. Zero is for ever.
	Raw time.Duration
	// Hours bounds how many hours of each source one call takes. 0 is 240, and
	// less of a busy model.
	Hours int
}

// atOnce is about how many rows of the sources one statement counts, beyond a
// first hour: their identifiers are kept in memory.
const atOnce = 2_000_000

// Scope is what is rolled up.
type Scope struct {
	Model  plumbline.Model
	Strata Strata
	// Classes are the two predicted classes of a binary model; any other number
	// of them counts all predictions together.
	Classes []string
	// From is the oldest hour that is kept, To the end of the newest closed one.
	From, To time.Time
}

// Definition is the column strata of the scope's rows: the strata, and the
// classes that are told apart.
func (s Scope) Definition() string {
	if len(s.Classes) != 2 {
		return s.Strata.String()
	}
	return s.Strata.String() + "|" + escape(s.Classes[0]) + "," + escape(s.Classes[1])
}

func (s Scope) parameters() []any {
	classes := s.Classes
	if classes == nil {
		classes = []string{}
	}
	return append(s.Strata.parameters(), clickhouse.Named("strata", s.Definition()), clickhouse.Named("model", string(s.Model)), clickhouse.Named("classes", classes),
		clickhouse.Named("from", s.From.Unix()), clickhouse.Named("to", s.To.Unix()))
}

// Progress is what one call of Roll did.
type Progress struct {
	// Hours of predictions and of labels that were counted.
	Hours, Known int
	// Oldest is the start of the oldest of them, zero without any.
	Oldest time.Time
	// More says that there are older hours left for the next call.
	More bool
}

// Roll counts hours that are not counted yet or have changed, the newest first.
// Killed anywhere, the next call does the same again.
func (r Roller) Roll(ctx context.Context, s Scope) (Progress, error) {
	limit := r.Hours
	if limit == 0 {
		limit = 240
	}
	fail := func(err error) (Progress, error) {
		return Progress{}, fmt.Errorf("count scores of model %q: %w", s.Model, err)
	}
	hours, err := r.stale(ctx, staleHoursSQL, s, plumbline.StratumHourMark, limit)
	if err != nil {
		return fail(err)
	}
	if err := r.write(ctx, rollHoursSQL, s, hours, plumbline.StratumHourMark); err != nil {
		return fail(err)
	}
	known, err := r.stale(ctx, staleKnownSQL, s, plumbline.StratumKnownMark, limit)
	if err != nil {
		return fail(err)
	}
	if err := r.write(ctx, rollKnownSQL, s, known, plumbline.StratumKnownMark); err != nil {
		return fail(err)
	}
	return Progress{Hours: len(hours.at), Known: len(known.at), Oldest: oldest(hours.at, known.at), More: hours.more || known.more}, nil
}

// oldest is the least of hours that come the newest first.
func oldest(lists ...[]uint32) (at time.Time) {
	for _, hours := range lists {
		if n := len(hours); n > 0 {
			if last := time.Unix(int64(hours[n-1]), 0).UTC(); at.IsZero() || last.Before(at) {
				at = last
			}
		}
	}
	return at
}

// pending are hours to count, with the fingerprint of what is counted.
type pending struct {
	at      []uint32
	sources []uint64
	more    bool
}

func (r Roller) stale(ctx context.Context, statement string, s Scope, mark int32, limit int) (p pending, err error) {
	var total uint64
	err = r.eachStale(ctx, statement, s, mark, limit+1, func(hour uint32, source, count uint64) {
		if total += count; len(p.at) == limit || len(p.at) > 0 && total > atOnce {
			p.more = true
			return
		}
		p.at, p.sources = append(p.at, hour), append(p.sources, source)
	})
	return p, err
}

// eachStale calls each with an hour that is to be counted, the fingerprint of what
// is stored of it, and how many rows that is.
func (r Roller) eachStale(ctx context.Context, statement string, s Scope, mark int32, limit int, each func(hour uint32, source, count uint64)) error {
	kept := int64(0)
	if r.Raw > 0 {
		// Rows of an hour that is as old as Raw are going already: what is left of it
		// would replace the whole, for good.
		kept = s.To.Add(24*time.Hour - r.Raw).Unix()
	}
	parameters := append(s.parameters(), clickhouse.Named("mark", mark), clickhouse.Named("limit", limit), clickhouse.Named("kept", kept))
	rows, err := r.Conn.Query(ctx, statement, parameters...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var (
			hour          uint32
			source, count uint64
		)
		if err := rows.Scan(&hour, &source, &count); err != nil {
			return err
		}
		each(hour, source, count)
	}
	return rows.Err()
}

func (r Roller) write(ctx context.Context, statement string, s Scope, p pending, mark int32) error {
	if len(p.at) == 0 {
		return nil
	}
	of, features := s.Strata.sql(), ""
	if !s.Strata.ofOutcome() {
		of, features = "features.stratum", featuresSQL
	}
	statement = strings.NewReplacer("/*of*/", of, "/*features*/", strings.ReplaceAll(features, "/*stratum*/", s.Strata.sql()),
		"/*stratum*/", s.Strata.sql(), "/*bucket*/", bucketSQL, "/*requests*/", plumbline.RequestsSQL).Replace(statement)
	if r.Table != "" {
		statement = strings.Replace(statement, "INSERT INTO score_cells", "INSERT INTO "+r.Table, 1)
	}
	// The newest hour comes first.
	first, last := int64(p.at[len(p.at)-1]), int64(p.at[0])+3600
	parameters := append(s.parameters(), clickhouse.Named("mark", mark), clickhouse.Named("hours", p.at), clickhouse.Named("sources", p.sources),
		clickhouse.Named("first", first), clickhouse.Named("last", last))
	// Rows written again replace their like; a token of its own keeps a
	// statement from being dropped as a repetition. Nothing bounds the months that
	// labels of one hour are about.
	ctx = clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": rand.Text(), "max_partitions_per_insert_block": 0}))
	return r.To.Exec(ctx, statement, parameters...)
}
