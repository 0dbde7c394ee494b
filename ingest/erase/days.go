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

// forgetDays takes identifiers out of days_by_id, where they are hashes by which
// somebody who guesses one could find it again. It comes before their predictions
// go: an entity is found by these, so that a run that is cut short finds them again.
// A day stays in which a prediction of that hash stays, so that the join misses
// nothing: one of another place, of a batch under way, that has come since, or of
// another identifier with the same hash, of which there is one in some million. Those
// behind the ends, see ends.sql, do.
func (r Request) forgetDays(ctx context.Context, db *storage.DB, ids []string, ends map[string]int64) error {
	days := written(db, plumbline.TableDaysByID)
	at, table := days.db, days.local
	for chunk := range chunks(ids) {
		var rows []uint64
		find := "WITH theirs AS (SELECT id_day FROM " + table + " WHERE " + plumbline.HashOfIDDaySQL + " GLOBAL IN" +
			" (SELECT " + plumbline.IDHashSQL + " FROM (SELECT {model:String} AS model, arrayJoin({ids:Array(String)}) AS prediction_id)))" +
			" SELECT groupUniqArray(id_day) FROM theirs WHERE id_day GLOBAL NOT IN (SELECT " + plumbline.IDDaySQL + " FROM predictions" +
			" WHERE toDate(ts) GLOBAL IN (SELECT " + plumbline.DayOfIDDaySQL + " FROM theirs) AND " + plumbline.IDDaySQL + " GLOBAL IN (SELECT id_day FROM theirs)" +
			" AND NOT (model = {model:String} AND prediction_id IN {ids:Array(String)} AND " + complete(string(plumbline.TablePredictions)) + "))"
		if err := at.Conn().QueryRow(ctx, find, r.model(), clickhouse.Named("ids", chunk), clickhouse.Named("ends", ends)).Scan(&rows); err != nil {
			return fmt.Errorf("look for identifiers in %s: %w", table, err)
		}
		wait := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
		erase := "ALTER TABLE " + table + at.OnCluster() + " DELETE WHERE id_day IN {rows:Array(UInt64)}"
		for some := range slices.Chunk(rows, maxDays) {
			if err := at.Conn().Exec(wait, erase, clickhouse.Named("rows", some)); err != nil {
				return fmt.Errorf("erase identifiers from %s: %w", table, err)
			}
		}
	}
	return nil
}

// forgetStragglers forgets what the join has written of identifiers while their
// predictions went: it had read them before, in a statement that began after the
// last wait. Of ids without a prediction it forgets what is there.
func (r run) forgetStragglers(ctx context.Context, ids []string) error {
	err := written(r.db, plumbline.TableDaysByID).settled(ctx)
	if err == nil {
		err = r.forgetDays(ctx, r.db, ids, map[string]int64{})
	}
	if err != nil && r.Feature != "" {
		return fmt.Errorf("whose predictions are all gone is not found again by the entity; hashes of such identifiers that the join was writing may be left in days_by_id, until raw retention ends: %w", err)
	}
	return err
}
