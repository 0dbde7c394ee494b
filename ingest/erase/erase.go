package erase

import (
	"context"
	"database/sql"
	_ "embed" // the SQL texts
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

//go:embed sql/found.sql
var foundSQL string

//go:embed sql/entity.sql
var entitySQL string

//go:embed sql/sources.sql
var sourcesSQL string

//go:embed sql/ends.sql
var endsSQL string

// maxIDs and maxIDBytes bound the identifiers of one statement: they travel in
// its address, of which ClickHouse takes 1 MiB.
const (
	maxIDs     = 500
	maxIDBytes = 32 << 10
)

// Report says what was found, and what became of it.
type Report struct {
	// IDs is the number of identifiers, as stored, that were looked for. Of an
	// entity they are those of its predictions.
	IDs int
	// Tables has an entry a table, in the order in which they are erased.
	Tables []TableReport
	// OtherRows is how many rows of predictions are about ID/0, ID/1 and so on,
	// and were not asked for.
	OtherRows uint64
	// InactiveParts is how many parts of the tables ClickHouse has replaced and
	// not removed from the disk yet, and InactiveBytes how large they are.
	InactiveParts, InactiveBytes uint64
	// Unwatched says that ClickHouse does not let its user see what is written, so
	// that nothing was waited for: what the join was writing when rows went may stand,
	// until a second run.
	Unwatched bool
	// Orphans is how many identifiers of the model have a label and no prediction that
	// is stored: an entity cannot be looked for among them. It is counted where one was
	// named. Where Share is below 1 it is an estimate, from that share of them.
	Orphans uint64
	Share   float64
}

// TableReport is what was found in one table.
type TableReport struct {
	Table plumbline.TableName
	// Rows were erased, or would be.
	Rows uint64
	// Unfinished is how many more there are, of batches that are not complete.
	Unfinished uint64
}

// Unfinished returns how many rows are left for a second run.
func (r Report) Unfinished() (n uint64) {
	for _, t := range r.Tables {
		n += t.Unfinished
	}
	return n
}

// Found reports whether any row bears one of the identifiers.
func (r Report) Found() bool {
	return slices.ContainsFunc(r.Tables, func(t TableReport) bool { return t.Rows+t.Unfinished > 0 })
}

// place is where the rows of a table are: a server, or all of a cluster's.
type place struct {
	db *storage.DB
	// local is the table on each server.
	table, local, cluster string
}

// places returns where the rows of a table are.
func places(db *storage.DB, table plumbline.TableName) (all []place) {
	if table == plumbline.TableOutcomes {
		return []place{written(db, table)}
	}
	servers := db.Shards()
	if db.OnCluster() != "" {
		servers = []*storage.DB{db}
	}
	for _, s := range servers {
		all = append(all, place{s, string(table), s.Local(table), db.OnCluster()})
	}
	return all
}

// Run erases what the request names. It may be repeated: what is gone is not
// found again. After an error some rows may be gone, and the table erasures says
// so already; the next run finds the others.
func Run(ctx context.Context, db *storage.DB, r Request, now time.Time) (Report, error) {
	if err := r.Validate(); err != nil {
		return Report{}, err
	}
	ids, others, err := r.resolve(ctx, db)
	if err != nil {
		return Report{}, err
	}
	if r.Feature != "" && len(ids) == 0 {
		if err := r.checkKnown(ctx, db); err != nil {
			return Report{}, err
		}
	}
	report := Report{IDs: len(ids)}
	if !r.DryRun {
		if report.Unwatched, err = unwatched(ctx, db); err != nil {
			return report, err
		}
	}
	// Before anything goes: an error must not hide what was erased.
	if r.Feature != "" {
		if report.Orphans, report.Share, err = r.orphans(ctx, db); err != nil {
			return report, err
		}
	}
	e := run{r, db, now}
	if err := e.tables(ctx, ids, &report); err != nil {
		return report, err
	}
	for _, at := range places(db, plumbline.TablePredictions) {
		for chunk := range chunks(others) {
			_, rows, unfinished, err := r.find(ctx, at, chunk, nil)
			if err != nil {
				return report, err
			}
			report.OtherRows += rows + unfinished
		}
	}
	if r.Feature == "" && !report.Found() && report.OtherRows == 0 {
		if err := r.checkKnown(ctx, db); err != nil {
			return report, err
		}
	}
	return report, report.inactive(ctx, db)
}

// run is a request that is carried out.
type run struct {
	Request
	db  *storage.DB
	now time.Time
}

// tables erases the rows of identifiers from one table after the other.
//
// Without labels the join makes no outcomes again, but for what it is writing
// when they go; see settled. Predictions go last, behind what the join remembers
// of the identifiers, and not before every label could go: an entity is found by
// them alone, so a run that was cut short must find them again.
func (r run) tables(ctx context.Context, ids []string, report *Report) error {
	wait := false
	for _, table := range []plumbline.TableName{plumbline.TableLabels, plumbline.TableOutcomes, plumbline.TablePredictions} {
		t := TableReport{Table: table}
		if table == plumbline.TablePredictions && !r.DryRun && !wait {
			if err := r.settle(ctx); err != nil {
				return err
			}
		}
		for _, at := range places(r.db, table) {
			if err := r.eraseOrWait(ctx, at, ids, wait, &t); err != nil {
				return err
			}
		}
		wait = wait || r.Feature != "" && t.Unfinished > 0
		report.Tables = append(report.Tables, t)
	}
	if r.DryRun {
		return nil
	}
	return r.forgetStragglers(ctx, ids)
}

// eraseOrWait erases the rows of one place, or only counts them as unfinished.
func (r run) eraseOrWait(ctx context.Context, at place, ids []string, wait bool, t *TableReport) error {
	if !wait {
		return r.eraseAt(ctx, at, ids, t)
	}
	for chunk := range chunks(ids) {
		_, rows, unfinished, err := r.find(ctx, at, chunk, nil)
		if err != nil {
			return err
		}
		t.Unfinished += rows + unfinished
	}
	return nil
}

// resolve returns the identifiers, as stored, that are erased, and those of
// other rows of the same requests.
func (r Request) resolve(ctx context.Context, db *storage.DB) (ids, others []string, err error) {
	if r.Feature != "" {
		ids, err = r.entity(ctx, db)
		return ids, nil, err
	}
	for _, id := range r.IDs {
		ids = append(ids, r.forms(id)...)
		rows, err := r.rows(ctx, db, id)
		if err != nil {
			return nil, nil, err
		}
		others = append(others, rows...)
	}
	if r.EveryRow {
		ids, others = append(ids, others...), nil
	}
	return unique(ids), unique(others), nil
}

func unique(all []string) []string {
	slices.Sort(all)
	return slices.Compact(all)
}

// rows returns how the rows of a request of several may be stored, as far as
// there are any in predictions or labels.
func (r Request) rows(ctx context.Context, db *storage.DB, id string) (all []string, err error) {
	for n := 0; ; n += maxGap {
		forms := r.rowForms(id, n, n+maxGap)
		found := uint64(0)
		for _, table := range []plumbline.TableName{plumbline.TablePredictions, plumbline.TableLabels} {
			for _, at := range places(db, table) {
				for chunk := range chunks(forms) {
					_, rows, unfinished, err := r.find(ctx, at, chunk, nil)
					if err != nil {
						return nil, err
					}
					found += rows + unfinished
				}
			}
		}
		if found == 0 {
			return all, nil
		}
		all = append(all, forms...)
	}
}

// entity returns the identifiers of the predictions that have the value.
func (r Request) entity(ctx context.Context, db *storage.DB) ([]string, error) {
	texts, number, isNumber := r.values()
	if isNumber && math.Abs(number) >= 1<<53 {
		neighbours, err := r.having(ctx, db, r.hashedNumber(number), number, true)
		if err != nil {
			return nil, err
		}
		if len(neighbours) > 0 {
			return nil, SharedError{r.Feature, len(neighbours)}
		}
		return r.having(ctx, db, texts, 0, false)
	}
	if isNumber {
		texts = append(texts, r.hashedNumber(number)...)
	}
	return r.having(ctx, db, texts, number, isNumber)
}

// SharedError says that an entity was not erased, for others may have the same
// value.
type SharedError struct {
	Feature string
	// Predictions is how many have it.
	Predictions int
}

func (e SharedError) Error() string {
	return fmt.Sprintf("%d predictions have a number of %s that whole numbers beyond 2^53-1 are rounded to, so they may be about several people: erase by prediction id, and have such identifiers sent as texts", e.Predictions, e.Feature)
}

// having returns the identifiers of the predictions of which the entity's feature
// has one of the texts, or is the number.
func (r Request) having(ctx context.Context, db *storage.DB, texts []string, number float64, isNumber bool) (ids []string, err error) {
	parameters := []any{
		r.model(), clickhouse.Named("texts", texts), clickhouse.Named("features", r.features()),
		clickhouse.Named("number", number), clickhouse.Named("is_number", flag(isNumber)),
	}
	for _, at := range places(db, plumbline.TablePredictions) {
		rows, err := at.db.Conn().Query(ctx, entitySQL, parameters...)
		if err != nil {
			return nil, fmt.Errorf("look for the entity in predictions: %w", err)
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return nil, fmt.Errorf("look for the entity in predictions: %w", err)
			}
			ids = append(ids, id)
		}
		if err := rows.Err(); err != nil {
			return nil, fmt.Errorf("look for the entity in predictions: %w", err)
		}
	}
	return unique(ids), nil
}

func flag(is bool) uint8 {
	if is {
		return 1
	}
	return 0
}

func (r Request) model() any { return clickhouse.Named("model", string(r.Model)) }

// chunks yields identifiers in pieces that fit a statement.
func chunks(ids []string) func(yield func([]string) bool) {
	return func(yield func([]string) bool) {
		from, size := 0, 0
		for i, id := range ids {
			if i > from && (i-from == maxIDs || size+len(id) > maxIDBytes) {
				if !yield(ids[from:i]) {
					return
				}
				from, size = i, 0
			}
			size += len(id)
		}
		if from < len(ids) {
			yield(ids[from:])
		}
	}
}

// hour is what was found of one hour of event time.
type hour struct {
	start    time.Time
	rows     uint64
	min, max time.Time
}

// complete is the condition on rows of complete batches, see ends.sql. The join
// writes outcomes whole.
func complete(table string) string {
	if table == string(plumbline.TableOutcomes) {
		return "1"
	}
	return "_offset < {ends:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]"
}

// ends returns up to which offset each topic partition that rows of the
// identifiers came from is complete.
func (r Request) ends(ctx context.Context, at place, ids []string) (map[string]int64, error) {
	ends := map[string]int64{}
	if at.table == string(plumbline.TableOutcomes) {
		return ends, nil
	}
	rows, err := at.db.Conn().Query(ctx, strings.Replace(sourcesSQL, "/*table*/", at.table, 1), r.model(), clickhouse.Named("ids", ids))
	if err != nil {
		return nil, fmt.Errorf("read where rows of %s came from: %w", at.table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var topic, epoch string
		var partition int32
		if err := rows.Scan(&topic, &epoch, &partition); err != nil {
			return nil, fmt.Errorf("read where rows of %s came from: %w", at.table, err)
		}
		var end int64
		row := at.db.Conn().QueryRow(ctx, endsSQL, clickhouse.Named("table", at.table),
			clickhouse.Named("topic", topic), clickhouse.Named("epoch", epoch), clickhouse.Named("partition", fmt.Sprint(partition)))
		if err := row.Scan(&end); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, fmt.Errorf("read which batches of %s are complete: %w", at.table, err)
		}
		ends[fmt.Sprintf("%s/%s/%d", topic, epoch, partition)] = end
	}
	return ends, rows.Err()
}

// find counts the rows of identifiers by hour, and how many of them are of
// complete batches.
func (r Request) find(ctx context.Context, at place, ids []string, ends map[string]int64) (hours []hour, all, unfinished uint64, err error) {
	if ends == nil {
		ends = map[string]int64{}
	}
	query := strings.NewReplacer("/*complete*/", complete(at.table), "/*table*/", at.table).Replace(foundSQL)
	rows, err := at.db.Conn().Query(ctx, query, r.model(), clickhouse.Named("ids", ids), clickhouse.Named("ends", ends))
	if err != nil {
		return nil, 0, 0, fmt.Errorf("look for rows in %s: %w", at.table, err)
	}
	defer rows.Close()
	for rows.Next() {
		var h hour
		var left uint64
		if err := rows.Scan(&h.start, &h.rows, &left, &h.min, &h.max); err != nil {
			return nil, 0, 0, fmt.Errorf("look for rows in %s: %w", at.table, err)
		}
		all, unfinished = all+h.rows, unfinished+left
		if h.rows > 0 {
			hours = append(hours, h)
		}
	}
	return hours, all, unfinished, rows.Err()
}
