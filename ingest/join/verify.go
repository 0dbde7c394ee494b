package join

import (
	"context"
	"fmt"
)

// Verification compares the stored cells with the batch oracle: the same cells
// computed from the raw rows alone, in a statement for those of minutes and one for
// those of hours. Neither reads anything that the join has written but what it
// compares. They share with the join the SQL of the segments and of fixed point, and
// that of the hours what a row counts for and how rows are summed (priced.sql,
// summed.sql): a mistake in these is in both.
type Verification struct {
	// WantLabelled and WantCorrect are the labelled and the correct requests of
	// the raw rows; Labelled and Correct those of the stored cells.
	WantLabelled, WantCorrect, Labelled, Correct int64
	// Differ is the number of cells (model, deploy, stage, minute, hour of
	// knowing) that are not equal, SegmentsDiffer that of the cells of segments.
	// A prediction whose labels all came before its segments were declared as
	// they are now is in none of them, so they differ there and rightly.
	Differ, SegmentsDiffer uint64
	// HoursDiffer and HoursSegmentsDiffer are the same of outcome_hours, a row a
	// predicted and true class.
	HoursDiffer, HoursSegmentsDiffer uint64
}

// Equal reports whether every cell is what the raw rows say.
func (v Verification) Equal() bool {
	return v.Differ == 0 && v.SegmentsDiffer == 0 && v.HoursDiffer == 0 && v.HoursSegmentsDiffer == 0
}

// Verify reads every raw row, so it is for checks and not for a schedule. It
// compares what is stored with what is joined: run it when the join has caught
// up, and while the raw rows have not expired.
func (j *Join) Verify(ctx context.Context) (Verification, error) {
	var v Verification
	row := j.db.Conn().QueryRow(ctx, ofPrediction(verifySQL), j.cfg.Segments.Parameter())
	if err := row.Scan(&v.WantLabelled, &v.WantCorrect, &v.Labelled, &v.Correct, &v.Differ, &v.SegmentsDiffer); err != nil {
		return Verification{}, fmt.Errorf("verify outcome cells: %w", err)
	}
	row = j.db.Conn().QueryRow(ctx, ofPrediction(verifyHoursSQL), j.cfg.Segments.Parameter(), j.cfg.scoreNumbers())
	if err := row.Scan(&v.HoursDiffer, &v.HoursSegmentsDiffer); err != nil {
		return Verification{}, fmt.Errorf("verify outcome hours: %w", err)
	}
	return v, nil
}
