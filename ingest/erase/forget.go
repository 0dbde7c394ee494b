package erase

import (
	"context"
	"fmt"
	"slices"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// maxDays bounds the rows that one statement erases: a parameter has 128 KiB at most.
const maxDays = 4000

// byID is a table in which the join remembers identifiers, as hashes by which somebody
// who guesses one could find it again, and what it makes it of.
type byID struct {
	table, of plumbline.TableName
	// row is what a row of the other table is in this one, day the day in that.
	row, day string
}

func remembered() []byID {
	return []byID{
		{plumbline.TableDaysByID, plumbline.TablePredictions, plumbline.IDDaySQL, "toDate(ts)"},
		{plumbline.TableLabelsByID, plumbline.TableLabels, plumbline.IDKnownSQL, "toDate(known)"},
	}
}

// forget takes identifiers out of what the join remembers. It comes before their
// predictions go: an entity is found by these, so that a run that is cut short finds
// them again. A day stays in which a row of that hash stays, so that the join misses
// nothing: one of another place, of a batch under way, that has come since, or of
// another identifier with the same hash, of which there is one in some million.
// Predictions behind the ends, see ends.sql, do.
func (r Request) forget(ctx context.Context, db *storage.DB, ids []string, ends map[string]int64) error {
	for _, b := range remembered() {
		if b.of != plumbline.TablePredictions {
			ends = map[string]int64{} // what was complete is gone before
		}
		for chunk := range chunks(ids) {
			if err := r.forgetChunk(ctx, db, b, chunk, ends); err != nil {
				return err
			}
		}
	}
	return nil
}

// forgetChunk puts back what has come between its look and the erasure: it may have
// the number of a row that went.
func (r Request) forgetChunk(ctx context.Context, db *storage.DB, b byID, ids []string, ends map[string]int64) error {
	hashes := written(db, b.table)
	at, table := hashes.db, hashes.local
	staying := func(days, rows string) string {
		return "SELECT " + b.row + " FROM " + string(b.of) + " WHERE " + b.day + " " + days + " AND " + b.row + " " + rows +
			" AND NOT (model = {model:String} AND prediction_id IN {ids:Array(String)} AND " + complete(string(b.of)) + ")"
	}
	var rows []uint64
	find := "WITH theirs AS (SELECT id_day FROM " + table + " WHERE " + plumbline.HashOfIDDaySQL + " GLOBAL IN" +
		" (SELECT " + plumbline.IDHashSQL + " FROM (SELECT {model:String} AS model, arrayJoin({ids:Array(String)}) AS prediction_id)))" +
		" SELECT groupUniqArray(id_day) FROM theirs WHERE id_day GLOBAL NOT IN (" +
		staying("GLOBAL IN (SELECT "+plumbline.DayOfIDDaySQL+" FROM theirs)", "GLOBAL IN (SELECT id_day FROM theirs)") + ")"
	parameters := []any{r.model(), clickhouse.Named("ids", ids), clickhouse.Named("ends", ends)}
	if err := at.Conn().QueryRow(ctx, find, parameters...).Scan(&rows); err != nil {
		return fmt.Errorf("look for identifiers in %s: %w", table, err)
	}
	wait := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
	erase := "ALTER TABLE " + table + at.OnCluster() + " DELETE WHERE id_day IN {rows:Array(UInt64)}"
	restore := "INSERT INTO " + table + " (id_day) " +
		staying("GLOBAL IN (SELECT "+plumbline.DayOfIDDaySQL+" FROM (SELECT arrayJoin({rows:Array(UInt64)}) AS id_day))", "IN {rows:Array(UInt64)}")
	for some := range slices.Chunk(rows, maxDays) {
		if err := at.Conn().Exec(wait, erase, clickhouse.Named("rows", some)); err != nil {
			return fmt.Errorf("erase identifiers from %s: %w", table, err)
		}
		if err := at.Conn().Exec(durably(ctx, at), restore, append(parameters, clickhouse.Named("rows", some))...); err != nil {
			return fmt.Errorf("put back what has come to %s meanwhile: %w", table, err)
		}
	}
	return nil
}

// settle waits for what the join is writing of identifiers.
func (r run) settle(ctx context.Context) error {
	for _, b := range remembered() {
		if err := written(r.db, b.table).settled(ctx); err != nil {
			return err
		}
	}
	return nil
}

// forgetStragglers forgets what the join has written of identifiers while their
// rows went: it had read them before, in a statement that began after the last wait.
// Of ids without a prediction, or a label, it forgets what is there.
func (r run) forgetStragglers(ctx context.Context, ids []string) error {
	err := r.settle(ctx)
	if err == nil {
		err = r.forget(ctx, r.db, ids, map[string]int64{})
	}
	if err != nil && r.Feature != "" {
		return fmt.Errorf("whose predictions are all gone is not found again by the entity; hashes of such identifiers that the join was writing may be left in days_by_id and labels_by_id, until raw retention ends: %w", err)
	}
	return err
}
