package plumbline

func outcomesTable() Table {
	return Table{
		Name: TableOutcomes, Doc: "One row a label that changed what is known of a prediction; the greatest version replaces the others.",
		Engine: "ReplacingMergeTree(version)",
		Columns: columns(keyColumns(), []Column{
			{Name: "prediction_id", Type: TypeString, Codec: "ZSTD(1)", Doc: "Prediction. Once its rows were erased, erased/ and the Kafka position of its first label."},
			{Name: "ts", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "Event time of the prediction."},
			{Name: "known", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "When the label became known (Kafka timestamp; never before the prediction's)."},
			{Name: "label_topic", Type: TypeName, Doc: "Kafka topic of the label."},
			{Name: "label_partition", Type: TypeInt32, Doc: "Kafka partition of the label."},
			{Name: "label_offset", Type: TypeInt64, Doc: "Kafka offset of the label."},
			{Name: "predicted", Type: TypeName, Doc: "Predicted class."},
			{Name: "label", Type: TypeName, Doc: "True class by this label."},
			{Name: "predicted_value", Type: TypeFloatOrNull, Doc: "Predicted number of a regression."},
			{Name: "label_value", Type: TypeFloatOrNull, Doc: "True number of a regression."},
			{Name: "score", Type: TypeFloatOrNull, Doc: "Score of the prediction."},
			{Name: "labelled", Type: TypeInt8, Doc: "Change in the number of labelled predictions: 1 for the first label, 0 for a correction, -1 for a deletion."},
			{Name: "correct", Type: TypeInt8, Doc: "Change in the number of correct predictions: 1, 0 or -1."},
			{Name: "requests", Type: TypeUint64, Default: "1", Doc: "Requests that the prediction stands for by its weight: what labelled and correct are multiplied with in outcome_cells."},
			{Name: "propensity", Type: TypeFloatOrNull, Doc: "Probability with which the prediction is given a label, as it was sent; null where it was not."},
			{Name: "held", Type: TypeInt8, Doc: "1 if the prediction had a label before this one became known. All rows of a delivery that does not count have 0 here and in holds."},
			{Name: "former", Type: TypeName, Doc: "Class of the label that counted before; empty without one."},
			{Name: "former_value", Type: TypeFloatOrNull, Doc: "Number of the label that counted before."},
			{Name: "holds", Type: TypeInt8, Doc: "1 if the prediction has a label since this one became known: labelled is holds - held."},
			{Name: "truth", Type: TypeName, Doc: "Class of the label that counts since, the greatest by label time, topic, partition and offset; empty without one. It is not label where this label is older than another."},
			{Name: "truth_value", Type: TypeFloatOrNull, Doc: "Number of the label that counts since."},
			{Name: "segments", Type: TypeNames, Doc: "Declared segments that the row counts in, as key=value; of a delivery that does not count, those of all deliveries."},
			{Name: "version", Type: TypeUint64, Doc: "Rows of labels and predictions this row was computed from; it only grows."},
		}),
		PartitionBy: "toDate(ts)", OrderBy: "model, ts, prediction_id, known, label_topic, label_partition, label_offset, deploy_hash, stage",
		Retention: "ts", Level: RetainRaw,
	}
}

func outcomeCellsTable() Table {
	return Table{
		Name: TableOutcomeCells, Doc: "Outcomes counted by minute of the prediction and hour in which they became known; the greatest version replaces the others. State as known at T is the sum of the cells known by T.",
		Engine: "ReplacingMergeTree(version)",
		Columns: columns(keyColumns(), []Column{
			{Name: "segment", Type: TypeName, Doc: "Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of."},
			{Name: "time", Type: TypeSecond, Doc: "Minute of the prediction, event time."},
			{Name: "known", Type: TypeSecond, Doc: "Hour in which the labels became known."},
			{Name: "labelled", Type: TypeInt64, Doc: "Labelled requests gained in that hour: each prediction as often as its weight says."},
			{Name: "correct", Type: TypeInt64, Doc: "Correct requests gained in that hour."},
			{Name: "rows", Type: TypeInt64, Default: "labelled", Doc: "Predictions that labelled was counted from; less than labelled where producers sample."},
			{Name: "squares", Type: TypeSum, Default: "labelled", Doc: "Sum of the squares of the requests that each prediction stands for: labelled^2 / squares is how many equal ones they are worth (Kish 1965)."},
			{Name: "weighed", Type: TypeInt64, Doc: "Predictions of rows that have a propensity; the columns behind are sums over them."},
			{Name: "inverse_nano", Type: TypeSum, Doc: "Sum of w = requests / propensity, at most 1e9 each, in units of 1e-9: the predictions that these labels stand for (Horvitz & Thompson 1952)."},
			{Name: "inverse_correct_nano", Type: TypeSum, Doc: "Sum of w over the correct ones; over inverse_nano it is the weighted accuracy (Hajek 1971)."},
			{Name: "inverse_squared_nano", Type: TypeSum, Doc: "Sum of w^2 in units of 1e-9."},
			{Name: "inverse_correct_squared_nano", Type: TypeSum, Doc: "Sum of w^2 over the correct ones, in units of 1e-9."},
			{Name: "version", Type: TypeUint64, Doc: "Sum of the versions of all outcomes of the minute and the hour of knowing, in whichever segment; it only grows."},
		}),
		PartitionBy: "toYYYYMM(time)", OrderBy: "model, time, known, deploy_hash, stage, segment",
		Retention: "time", Level: RetainHours,
	}
}

func outcomeHoursTable() Table {
	return Table{
		Name: TableOutcomeHours, Doc: "Outcomes counted by hour of the prediction, hour in which they became known, predicted and true class: the confusion matrix, scores by true class, per-event losses and errors. The greatest version replaces the others. State as known at T is the sum of the rows known by T. Every sum is over requests: a prediction adds as often as its weight says.",
		Engine: "ReplacingMergeTree(version)",
		Columns: columns(keyColumns(), []Column{
			{Name: "segment", Type: TypeName, Doc: "Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of."},
			{Name: "time", Type: TypeSecond, Doc: "Hour of the prediction, event time."},
			{Name: "known", Type: TypeSecond, Doc: "Hour in which the labels became known."},
			{Name: "predicted", Type: TypeName, Doc: "Predicted class; empty for a regression, where none was given, or over the cap."},
			{Name: "label", Type: TypeName, Doc: "True class; empty for a regression or over the cap."},
			{Name: "other", Type: TypeUint8, Doc: "Bit 1: the predicted class is over the cap, bit 2: the true class is. The 20 classes with most changes of the hour, deploy, stage and hour of knowing are counted apart, of equal ones the first by name. Of models with more classes, what is counted under a name is a lower bound where there is other."},
			{Name: "grid", Type: TypeName, Doc: "Grid of scores: o8 for probabilities, f8 for scores of models whose score_kinds says number; empty where none of the row's scores is on one."},
			{Name: "count", Type: TypeInt64, Doc: "Labelled requests gained in that hour."},
			{Name: "correct", Type: TypeInt64, Doc: "Correct requests gained in that hour: count where both classes have names and are equal, which of other nothing else tells."},
			{Name: "rows", Type: TypeInt64, Doc: "Predictions that count was counted from."},
			{Name: "squares", Type: TypeSum, Doc: "Sum of the squares of the requests that each prediction stands for."},
			{Name: "weighed", Type: TypeInt64, Doc: "Predictions of rows that have a propensity."},
			{Name: "inverse_nano", Type: TypeSum, Doc: "Sum of w = requests / propensity over them, as in outcome_cells."},
			{Name: "inverse_squared_nano", Type: TypeSum, Doc: "Sum of w^2 over them, in units of 1e-9."},
			{Name: "scored", Type: TypeInt64, Doc: "Requests whose score f is on the grid; the next ten columns are about them, and those with log and gap only about probabilities."},
			{Name: "hist", Type: TypeChanges, Codec: "ZSTD(1)", Doc: "Sorted grid buckets of scores and the change of their counts."},
			{Name: "score_nano", Type: TypeSum, Doc: "Sum of f, in units of 1e-9."},
			{Name: "log_nano", Type: TypeSum, Doc: "Sum of -ln f, f not below 1e-15: the log loss if label is the positive class; in units of 1e-9."},
			{Name: "log_squared_nano", Type: TypeSum, Doc: "Sum of (ln f)^2."},
			{Name: "log_not_nano", Type: TypeSum, Doc: "Sum of -ln(1-f), 1-f not below 1e-15: the log loss if label is not the positive class."},
			{Name: "log_not_squared_nano", Type: TypeSum, Doc: "Sum of (ln(1-f))^2."},
			{Name: "gap_squared_nano", Type: TypeSum, Doc: "Sum of (1-f)^2: the Brier score if label is the positive class."},
			{Name: "gap_fourth_nano", Type: TypeSum, Doc: "Sum of (1-f)^4, its square."},
			{Name: "gap_not_squared_nano", Type: TypeSum, Doc: "Sum of f^2: the Brier score if label is not the positive class."},
			{Name: "gap_not_fourth_nano", Type: TypeSum, Doc: "Sum of f^4, its square."},
			{Name: "errors", Type: TypeInt64, Doc: "Requests of a regression with an error e = predicted_value - y, y the true number, both at most 1e12 in magnitude; all columns behind are sums over them, in units of 1e-18."},
			{Name: "error_atto", Type: TypeWideSum, Doc: "Sum of e."},
			{Name: "absolute_atto", Type: TypeWideSum, Doc: "Sum of |e|. A pinball loss of any quantile q is q times the sum of negative errors and 1-q times that of positive ones, which these two tell."},
			{Name: "squared_atto", Type: TypeWideSum, Doc: "Sum of e^2."},
			{Name: "signed_squared_atto", Type: TypeWideSum, Doc: "Sum of e|e|: tells the squares of negative and of positive errors."},
			{Name: "fourth_atto", Type: TypeWideSum, Doc: "Sum of e^4."},
			{Name: "relative", Type: TypeInt64, Doc: "Requests with a relative error |e/y| of at most 1e12; the others have a truth of 0, or next to it."},
			{Name: "relative_atto", Type: TypeWideSum, Doc: "Sum of |e/y|."},
			{Name: "relative_squared_atto", Type: TypeWideSum, Doc: "Sum of (e/y)^2."},
			{Name: "truth_atto", Type: TypeWideSum, Doc: "Sum of y."},
			{Name: "truth_squared_atto", Type: TypeWideSum, Doc: "Sum of y^2."},
			{Name: "truth_third_atto", Type: TypeWideSum, Doc: "Sum of y^3."},
			{Name: "truth_fourth_atto", Type: TypeWideSum, Doc: "Sum of y^4."},
			{Name: "truth_error_atto", Type: TypeWideSum, Doc: "Sum of y e^2."},
			{Name: "truth_squared_error_atto", Type: TypeWideSum, Doc: "Sum of y^2 e^2."},
			{Name: "version", Type: TypeUint64, Doc: "Sum of the versions of all outcomes of the hour and the hour of knowing, in whichever segment; it only grows."},
		}),
		PartitionBy: "toYYYYMM(time)", OrderBy: "model, time, known, deploy_hash, stage, segment, predicted, label, other, grid",
		Retention: "time", Level: RetainHours,
	}
}

// How days_by_id and labels_by_id pack an identifier and a day into one number, in
// SQL. That of a row of predictions, or of labels, sorts by the hash; of the hash 48
// bits are left, so that one identifier in some million has a day too many among 100
// million others.
const (
	IDHashSQL      = "bitShiftRight(cityHash64(toString(model), prediction_id), 16)"
	IDDaySQL       = "bitOr(bitShiftLeft(" + IDHashSQL + ", 16), toUInt64(toUInt16(toDate(ts))))"
	IDKnownSQL     = "bitOr(bitShiftLeft(" + IDHashSQL + ", 16), toUInt64(toUInt16(toDate(known))))"
	HashOfIDDaySQL = "bitShiftRight(id_day, 16)"
	DayOfIDDaySQL  = "toDate(toUInt16(bitAnd(id_day, 65535)))"
)

func daysByIDTable() Table {
	return byIDTable(TableDaysByID, "ReplacingMergeTree",
		"The days in which an identifier has predictions: where the join looks for those that a label is about. It may name a day too many, never one too few of what by_id_cursor covers.",
		"in which a prediction of that identifier has its event time.")
}

// labelsByIDTable has a row a label, of which no two are made one: that an identifier
// has several is what it is asked for.
func labelsByIDTable() Table {
	return byIDTable(TableLabelsByID, "MergeTree",
		"Of which identifiers there are labels: tells the join for which of them it has to look, beside those that are new. It may name one too many, never one too few of what by_id_cursor covers.",
		"in which a label of that identifier became known. Two labels have two rows.")
}

// byIDTable is sorted by a hash of the identifier across all days: a look-up in
// tables that have a part or more a day costs as much as there are days.
func byIDTable(name TableName, engine, doc, day string) Table {
	return Table{
		Name: name, Doc: doc, Engine: engine,
		Columns: []Column{
			{Name: "id_day", Type: TypeUint64, Codec: "NONE", Doc: "The upper 48 bits of cityHash64(model, prediction_id), and below them the day, since 1970, " + day},
		},
		SearchBy: HashOfIDDaySQL, OrderBy: "id_day",
		Retention: "toDateTime(" + DayOfIDDaySQL + " + 1, 'UTC')", Level: RetainRaw,
		// An identifier is looked up by a hash, and what is read for it is a granule
		// of each part and the block that it lies in: granules are small, need no
		// unpacking, and what is older than a day is one part. The key is the hash
		// itself: of a key of hash and day ClickHouse would compute it for each mark.
		Settings: []string{
			"index_granularity = 256", "min_compress_block_size = 2048", "max_compress_block_size = 2048",
			"min_age_to_force_merge_seconds = 86400",
		},
	}
}

func byIDCursorTable() Table {
	return Table{
		Name: TableByIDCursor, Doc: "How far days_by_id and labels_by_id have followed each topic partition.",
		Engine: "ReplacingMergeTree(done)",
		Columns: []Column{
			{Name: "topic", Type: TypeName, Doc: "Kafka topic."},
			{Name: "epoch", Type: TypeName, Doc: "Epoch of the topic partition."},
			{Name: "partition", Type: TypeInt32, Doc: "Kafka partition."},
			{Name: "done", Type: TypeInt64, Doc: "Every prediction up to and including this offset is in days_by_id, and every label in labels_by_id."},
		},
		OrderBy: "topic, epoch, partition",
	}
}

// FormerTables are those of versions before, whose place others have taken. All of
// them were computed from tables that are there. Storage drops them: what is erased
// from the others would stay in them.
func FormerTables() []TableName {
	return []TableName{"days_of_ids", "days_cursor", "id_days", "id_days_cursor"}
}

func joinCursorTable() Table {
	return Table{
		Name: TableJoinCursor, Doc: "How far the join has followed each topic partition.",
		Engine: "ReplacingMergeTree(done)",
		Columns: []Column{
			{Name: "topic", Type: TypeName, Doc: "Kafka topic."},
			{Name: "epoch", Type: TypeName, Doc: "Epoch of the topic partition."},
			{Name: "partition", Type: TypeInt32, Doc: "Kafka partition."},
			{Name: "done", Type: TypeInt64, Doc: "Every offset up to and including this one is joined."},
		},
		OrderBy: "topic, epoch, partition",
	}
}

func joinMembersTable() Table {
	return Table{
		Name: TableJoinMembers, Doc: "Processes that join, and when each was last there: they share the topic partitions by it. It decides who works, never what is right.",
		Engine: "ReplacingMergeTree(seen)",
		Columns: []Column{
			{Name: "member", Type: TypeName, Doc: "Process, by a name it drew when it started."},
			{Name: "seen", Type: TypeTime, Doc: "ClickHouse's clock when it was last there."},
			{Name: "gone", Type: TypeUint8, Doc: "1 if it ended then."},
		},
		OrderBy:   "member",
		Retention: "seen", Level: RetainRaw,
	}
}
