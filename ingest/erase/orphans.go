package erase

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2"

	plumbline "github.com/plumbline-slo/plumbline"
	"github.com/plumbline-slo/plumbline/storage"
)

// orphanRows bounds the rows of a table that are looked at to count the labels
// without a prediction: of more, a part is looked at that a hash chooses.
const orphanRows = 1 << 20

// orphans counts the model's identifiers that have a label and no prediction that is
// stored, of a share of them: predictions whose raw rows are sampled, or were left
// out when the disk was full, have none. On servers that nobody joins a label may
// stand on another than its prediction, so they are compared here.
func (r Request) orphans(ctx context.Context, db *storage.DB) (n uint64, share float64, err error) {
	parts := uint64(1)
	for _, table := range []plumbline.TableName{plumbline.TableLabels, plumbline.TablePredictions} {
		rows := uint64(0)
		for _, at := range places(db, table) {
			var some uint64
			if err := at.db.Conn().QueryRow(ctx, "SELECT count() FROM "+at.table+" WHERE model = {model:String}", r.model()).Scan(&some); err != nil {
				return 0, 0, fmt.Errorf("count the rows of %s: %w", table, err)
			}
			rows += some
		}
		parts = max(parts, 1+rows/orphanRows)
	}
	labels, err := r.hashes(ctx, db, plumbline.TableLabels, parts)
	if err != nil {
		return 0, 0, err
	}
	predictions, err := r.hashes(ctx, db, plumbline.TablePredictions, parts)
	if err != nil {
		return 0, 0, err
	}
	for id := range labels {
		if !predictions[id] {
			n++
		}
	}
	return n * parts, 1 / float64(parts), nil
}

// hashes returns one part of the identifiers of a table, as hashes.
func (r Request) hashes(ctx context.Context, db *storage.DB, table plumbline.TableName, parts uint64) (map[uint64]bool, error) {
	all := map[uint64]bool{}
	for _, at := range places(db, table) {
		if err := r.hashesAt(ctx, at, parts, all); err != nil {
			return nil, fmt.Errorf("look for labels without a prediction in %s: %w", table, err)
		}
	}
	return all, nil
}

// hashesAt adds those of one place.
func (r Request) hashesAt(ctx context.Context, at place, parts uint64, all map[uint64]bool) error {
	// One hash chooses and another counts.
	rows, err := at.db.Conn().Query(ctx, "SELECT DISTINCT cityHash64(prediction_id) FROM "+at.table+
		" WHERE model = {model:String} AND sipHash64(prediction_id) % {parts:UInt64} = 0", r.model(), clickhouse.Named("parts", parts))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id uint64
		if err := rows.Scan(&id); err != nil {
			return err
		}
		all[id] = true
	}
	return rows.Err()
}
