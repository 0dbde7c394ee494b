package cluster

import (
	"context"
	_ "embed" // the statements
	"fmt"
	"sync"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	plumbline "github.com/plumbline-slo/plumbline"
)

//go:embed sql/picked.sql
var pickedSQL string

//go:embed sql/sizes.sql
var sizesSQL string

//go:embed sql/numbers.sql
var numbersSQL string

//go:embed sql/categories.sql
var categoriesSQL string

// Querier runs one query; clickhouse-go's driver.Conn is one.
type Querier interface {
	Query(ctx context.Context, query string, args ...any) (driver.Rows, error)
}

// Keys are what the models declare.
type Keys map[plumbline.Model]Key

// Keeper reads the effects of models that declare a key and keeps those of a day
// that is over. It is safe for concurrent use.
type Keeper struct {
	keys Keys
	conn Querier

	mu   sync.Mutex
	kept map[of]Effects
}

// of is what effects are about.
type of struct {
	model plumbline.Model
	stage plumbline.Stage
	day   int64
}

// maxKept bounds what is kept, in days of models.
const maxKept = 256

// maxRows is about how many rows are looked at, of whole clusters.
const maxRows = 200_000

// NewKeeper returns a keeper over the raw rows behind the connection.
func NewKeeper(keys Keys, conn Querier) *Keeper {
	return &Keeper{keys: keys, conn: conn, kept: map[of]Effects{}}
}

// Effects returns what is known of a model at the end of a window: of the last
// whole day (UTC) before it, or of the day so far where that has no rows. It
// returns false if the model declares no key.
func (k *Keeper) Effects(ctx context.Context, model plumbline.Model, stage plumbline.Stage, end time.Time) (Effects, bool, error) {
	key, ok := k.keys[model]
	if !ok || key == "" {
		return Effects{}, false, nil
	}
	midnight := end.UTC().Truncate(day)
	what := of{model, stage, midnight.Unix()}
	k.mu.Lock()
	defer k.mu.Unlock()
	if kept, ok := k.kept[what]; ok {
		return kept, true, nil
	}
	e, err := Read(ctx, k.conn, key, model, stage, midnight.Add(-day), midnight)
	if err == nil && !e.Known() && end.After(midnight) {
		e, err = Read(ctx, k.conn, key, model, stage, midnight, end)
	}
	if err != nil {
		return Effects{}, true, fmt.Errorf("clusters by %q of model %q: %w", string(key), model, err)
	}
	if e.Known() && !e.To.After(midnight) {
		if len(k.kept) >= maxKept {
			clear(k.kept)
		}
		k.kept[what] = e
	}
	return e, true, nil
}

// Read estimates the effects of the raw rows of a range; of none if there are
// none.
func Read(ctx context.Context, conn Querier, key Key, model plumbline.Model, stage plumbline.Stage, from, to time.Time) (Effects, error) {
	e := Effects{Key: key, From: from, To: to, Size: 1, Series: map[plumbline.Series]Effect{}}
	clusters := func(oneIn uint64) []any {
		return []any{
			clickhouse.Named("key", string(key)), clickhouse.Named("model", string(model)), clickhouse.Named("stage", string(stage)),
			clickhouse.Named("from", from.UnixMilli()), clickhouse.Named("to", to.UnixMilli()), clickhouse.Named("one_in", oneIn),
		}
	}
	size, err := e.count(ctx, conn, clusters(1))
	if err != nil || e.Rows == 0 {
		return e, err
	}
	e.Size = size
	picked := clusters(1)
	if oneIn := (e.Rows + maxRows - 1) / maxRows; oneIn > 1 {
		picked = clusters(oneIn)
		if size, err = e.count(ctx, conn, picked); err != nil {
			return Effects{}, err
		}
	}
	if err := e.read(ctx, conn, numbersSQL, 7, picked); err != nil {
		return Effects{}, err
	}
	if err := e.read(ctx, conn, categoriesSQL, 20, picked); err != nil {
		return Effects{}, err
	}
	e.grow(size)
	e.Clusters = max(1, e.Clusters) // where none was picked, what is known is Size
	return e, nil
}

// count counts clusters and their rows and returns the mean size of the cluster
// of a row.
func (e *Effects) count(ctx context.Context, conn Querier, picked []any) (size float64, err error) {
	squares := uint64(0)
	err = each(ctx, conn, sizesSQL, picked, func(rows driver.Rows) error { return rows.Scan(&e.Clusters, &e.Rows, &squares) })
	if e.Rows == 0 {
		return 1, err
	}
	return float64(squares) / float64(e.Rows), err
}

// read adds the series of one statement, the first cells of whose lists are
// cells. A series that both have keeps the greater effects.
func (e *Effects) read(ctx context.Context, conn Querier, statement string, cells int, parameters []any) error {
	return each(ctx, conn, statement, parameters, func(rows driver.Rows) error {
		var (
			series string
			s      = sums{cells: cells}
		)
		if err := rows.Scan(&series, &s.clusters, &s.rows, &s.squares, &s.x, &s.xx, &s.xn); err != nil {
			return err
		}
		effect, known := s.effect(), e.Series[plumbline.Series(series)]
		e.Series[plumbline.Series(series)] = Effect{Mean: max(effect.Mean, known.Mean), Worst: max(effect.Worst, known.Worst)}
		return nil
	})
}

// each calls scan for every row of a statement about picked rows.
func each(ctx context.Context, conn Querier, statement string, parameters []any, scan func(driver.Rows) error) error {
	rows, err := conn.Query(ctx, pickedSQL+statement, parameters...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
