package join

import (
	"context"
	"fmt"
	"slices"
	"strings"

	plumbline "github.com/plumbline-slo/plumbline"
)

// maxIndexOffsets bounds the offsets of one topic partition that one statement
// puts into days_by_id. Nothing of them is held in memory, so they are many: a
// database of a version without the table gets it in few statements.
const maxIndexOffsets = 2_000_000

// index brings days_by_id up to what is stored of this process's partitions. The
// rows are written before the cursor that covers them, and read after it: who
// reads the cursor finds the rows.
func (j *Join) index(ctx context.Context) error {
	for {
		queues, err := j.unindexed(ctx)
		if err != nil {
			return err
		}
		members := j.seen()
		queues = slices.DeleteFunc(queues, func(q queue) bool { return !owns(j.member, members, q.partition) })
		if len(queues) == 0 {
			return nil
		}
		more := false
		for i, q := range queues {
			var left bool
			queues[i], left = q.upTo(maxIndexOffsets)
			more = more || left
		}
		if predictions := predictionsOf(queues); len(predictions.to) > 0 {
			if err := j.write(ctx, plumbline.TableDaysByID, ofPrediction(indexSQL), predictions.parameters("index")); err != nil {
				return err
			}
		}
		if err := j.saveCursors(ctx, plumbline.TableDaysByIDCursor, queues); err != nil {
			return err
		}
		// What has come since waits for the next step, see days: where something
		// always comes, no label would be joined.
		if !more {
			return nil
		}
	}
}

// unindexed returns what is stored and not in days_by_id yet, whoever brings it
// there. Labels have no rows there; their batches are passed over by the cursor.
func (j *Join) unindexed(ctx context.Context) ([]queue, error) {
	cursors, err := j.cursors(ctx, plumbline.TableDaysByIDCursor)
	if err != nil {
		return nil, err
	}
	return j.pending(ctx, cursors)
}

func predictionsOf(queues []queue) news {
	n := newNews()
	for _, q := range queues {
		n.add(q, plumbline.TablePredictions)
	}
	return n
}

// days returns the days that may have deliveries of what is touched. It asks the
// server that days_by_id is written to, since another replica may lag behind the
// cursor it has.
func (j *Join) days(ctx context.Context, parameters []any) ([]string, error) {
	queues, err := j.unindexed(ctx)
	if err != nil {
		return nil, err
	}
	db := j.db.Derived()
	statement := strings.Replace(withTouched(daysSQL), "FROM days_by_id", "FROM "+db.Local(plumbline.TableDaysByID), 1)
	var days []string
	row := db.Conn().QueryRow(ctx, statement, append(slices.Clone(parameters), predictionsOf(queues).parameters("index")...)...)
	if err := row.Scan(&days); err != nil {
		return nil, fmt.Errorf("find the days of what is new: %w", err)
	}
	return days, nil
}
