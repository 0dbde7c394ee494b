package join

import (
	"context"
	"slices"

	plumbline "github.com/plumbline-slo/plumbline"
)

// maxIndexOffsets bounds the offsets of one topic partition that one statement
// puts into days_by_id, or labels_by_id. Nothing of them is held in memory, so they
// are many: a database of a version without the tables gets them in few statements.
const maxIndexOffsets = 2_000_000

// index brings days_by_id and labels_by_id up to what is stored of this process's
// partitions. The rows are written before the cursor that covers them, and read after it: who
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
		predictions, labels := newsOf(queues, plumbline.TablePredictions), newsOf(queues, plumbline.TableLabels)
		if len(predictions.to) > 0 {
			if err := j.write(ctx, plumbline.TableDaysByID, ofPrediction(indexSQL), predictions.parameters("index_predictions")); err != nil {
				return err
			}
		}
		if len(labels.to) > 0 {
			if err := j.write(ctx, plumbline.TableLabelsByID, ofPrediction(indexLabelsSQL), labels.parameters("index_labels")); err != nil {
				return err
			}
		}
		if err := j.saveCursors(ctx, plumbline.TableByIDCursor, queues); err != nil {
			return err
		}
		// What has come since is indexed by the next step, and found by this one all
		// the same (see begin): where something always comes, no label would be joined.
		if !more {
			return nil
		}
	}
}

// unindexed returns what is stored and not in days_by_id or labels_by_id yet,
// whoever brings it there.
func (j *Join) unindexed(ctx context.Context) ([]queue, error) {
	cursors, err := j.cursors(ctx, plumbline.TableByIDCursor)
	if err != nil {
		return nil, err
	}
	return j.pending(ctx, cursors)
}

func newsOf(queues []queue, table plumbline.TableName) news {
	n := newNews()
	for _, q := range queues {
		n.add(q, table)
	}
	return n
}
