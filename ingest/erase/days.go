package erase

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// forgetDays takes identifiers out of days_of_ids, where they are hashes by which
// somebody who guesses one could find it again. It comes before their predictions
// go: an entity is found by these, so that a run that is cut short finds them again.
// Identifiers that keep a prediction stay, so that the join misses nothing: one of
// another place, of a batch under way, or that has come since. Those behind the ends,
// see ends.sql, do.
func (r Request) forgetDays(ctx context.Context, db *storage.DB, ids []string, ends map[string]int64) error {
	days := written(db, plumbline.TableDaysOfIDs)
	at, table := days.db, days.local
	for chunk := range chunks(ids) {
		var hashes []uint64
		find := "SELECT groupUniqArray(id) FROM " + table + " WHERE id GLOBAL IN (SELECT cityHash64({model:String}, arrayJoin({ids:Array(String)})))" +
			" AND id GLOBAL NOT IN (SELECT cityHash64(toString(model), prediction_id) FROM predictions WHERE model = {model:String} AND prediction_id IN {ids:Array(String)}" +
			" AND NOT (" + complete(string(plumbline.TablePredictions)) + "))"
		if err := at.Conn().QueryRow(ctx, find, r.model(), clickhouse.Named("ids", chunk), clickhouse.Named("ends", ends)).Scan(&hashes); err != nil {
			return fmt.Errorf("look for identifiers in %s: %w", table, err)
		}
		if len(hashes) == 0 {
			continue
		}
		wait := clickhouse.Context(ctx, clickhouse.WithSettings(clickhouse.Settings{"mutations_sync": 2}))
		erase := "ALTER TABLE " + table + at.OnCluster() + " DELETE WHERE id IN {hashes:Array(UInt64)}"
		if err := at.Conn().Exec(wait, erase, clickhouse.Named("hashes", hashes)); err != nil {
			return fmt.Errorf("erase identifiers from %s: %w", table, err)
		}
	}
	return nil
}

// forgetStragglers forgets what the join has written of identifiers while their
// predictions went: it had read them before, in a statement that began after the
// last wait. Of ids without a prediction it forgets what is there.
func (r run) forgetStragglers(ctx context.Context, ids []string) error {
	err := written(r.db, plumbline.TableDaysOfIDs).settled(ctx)
	if err == nil {
		err = r.forgetDays(ctx, r.db, ids, map[string]int64{})
	}
	if err != nil && r.Feature != "" {
		return fmt.Errorf("whose predictions are all gone is not found again by the entity; hashes of such identifiers that the join was writing may be left in days_of_ids, until raw retention ends: %w", err)
	}
	return err
}
