package plumbline

// TableScoreCells is what estimates before labels, delay curves and maturity
// read.
const TableScoreCells TableName = "score_cells"

// Strata of the rows of score_cells that count nothing but say up to where the
// others are complete.
const (
	// StratumHourMark marks an hour of predictions.
	StratumHourMark int32 = -1
	// StratumKnownMark marks an hour in which labels became known; time is that
	// hour.
	StratumKnownMark int32 = -2
)

func scoreCellsTable() Table {
	return Table{
		Name: TableScoreCells, Doc: "Predictions and their outcomes by hour of the prediction, stratum of what drives the delay of labels, class and bucket of the score, and hour in which labels became known; the greatest version replaces the others. Sums of the rows known by T are the state as known at T.",
		Engine: "ReplacingMergeTree(version)",
		Columns: columns(keyColumns(), []Column{
			{Name: "strata", Type: TypeName, Doc: "Definition of the strata and of the two classes of a binary model, such as number:lead_time:7,30|no,yes; rows of different ones never add up."},
			{Name: "time", Type: TypeSecond, Doc: "Start of the hour of the prediction, event time."},
			{Name: "known", Type: TypeSecond, Doc: "Start of the hour in which the labels became known; 1970 in rows that count predictions."},
			{Name: "stratum", Type: TypeInt32, Doc: "Number of the stratum, from 0; -1 and -2 mark what is complete and count nothing."},
			{Name: "predicted", Type: TypeName, Doc: "Predicted class of a model of two classes; empty for others."},
			{Name: "bucket", Type: TypeInt32, Doc: "Of a probability its log odds in quarters, -28 to 28; of another number 1000 and more, or -1000 and less, in quarters of an octave; -100000 without one."},
			{Name: "delay", Type: TypeInt32, Doc: "Delay of the labels in quarters of an octave of a second up to 57, about six hours, 58 beyond; -1 in rows that count predictions."},
			{Name: "predictions", Type: TypeInt64, Doc: "Distinct predictions, whatever their weight."},
			{Name: "requests", Type: TypeInt64, Default: "predictions", Doc: "Requests that those stand for: each as often as its weight says. More than predictions where producers sample; rows of versions without this column and the five like it weigh each prediction 1."},
			{Name: "squares", Type: TypeSum, Default: "predictions", Doc: "Sum of the squares of the requests that each prediction stands for."},
			{Name: "score", Type: TypeFloat, Doc: "Sum over requests of the scores, or of the predicted numbers of a regression."},
			{Name: "labelled", Type: TypeInt64, Doc: "Labelled predictions gained in that hour."},
			{Name: "labelled_requests", Type: TypeInt64, Default: "labelled", Doc: "Requests that those stand for."},
			{Name: "labelled_squares", Type: TypeSum, Default: "labelled", Doc: "Sum of the squares of the requests that each of them stands for."},
			{Name: "correct", Type: TypeInt64, Doc: "Correct predictions gained in that hour."},
			{Name: "correct_requests", Type: TypeInt64, Default: "correct", Doc: "Requests that those stand for."},
			{Name: "correct_squares", Type: TypeSum, Default: "correct", Doc: "Sum of the squares of the requests that each of them stands for."},
			{Name: "loss", Type: TypeFloat, Doc: "Sum over requests of the absolute errors of a regression, by the label that counts: a change when one is corrected or withdrawn."},
			{Name: "loss_squares", Type: TypeFloat, Doc: "Sum over requests of their squares."},
			{Name: "source", Type: TypeUint64, Doc: "In a mark: what was counted or summed of the sources when the hour was computed; another value there has it computed again. Its highest bit says that the predictions stand for more requests than they are, and that each was weighed."},
			{Name: "version", Type: TypeUint64, Doc: "Wall clock of the computation in nanoseconds."},
		}),
		PartitionBy: "toYYYYMM(time)", OrderBy: "model, strata, time, known, deploy_hash, stage, stratum, predicted, bucket, delay",
		Retention: "time", Level: RetainHours,
	}
}
