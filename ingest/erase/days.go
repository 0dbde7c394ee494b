package erase

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// forgetDays takes identifiers out of days_of_ids, where they are hashes by which
// somebody who guesses one could find it again. Those that still have a prediction
// stay, so that the join misses nothing: one may have come since.
func (r Request) forgetDays(ctx context.Context, db *storage.DB, ids []string) error {
	days := written(db, plumbline.TableDaysOfIDs)
	if err := days.settled(ctx); err != nil {
		return err
	}
	at, table := days.db, days.local
	for chunk := range chunks(ids) {
		var hashes []uint64
		find := "SELECT groupUniqArray(id) FROM " + table + " WHERE id GLOBAL IN (SELECT cityHash64({model:String}, arrayJoin({ids:Array(String)})))" +
			" AND id GLOBAL NOT IN (SELECT cityHash64(toString(model), prediction_id) FROM predictions WHERE model = {model:String} AND prediction_id IN {ids:Array(String)})"
		if err := at.Conn().QueryRow(ctx, find, r.model(), clickhouse.Named("ids", chunk)).Scan(&hashes); err != nil {
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
