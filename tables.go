package plumbline

import "time"

// TableName names a table of the schema.
type TableName string

// The tables. Their columns are declared once, in Tables.
const (
	TablePredictions  TableName = "predictions"
	TableLabels       TableName = "labels"
	TableDeployments  TableName = "deployments"
	TableSeriesMinute TableName = "series_minute"
	TableSeriesHour   TableName = "series_hour"
	TableCategories   TableName = "categories_hour"
	TableBatches      TableName = "batches"
	TableEpochs       TableName = "epochs"
	TableOutcomes     TableName = "outcomes"
	TableOutcomeCells TableName = "outcome_cells"
	TableOutcomeHours TableName = "outcome_hours"
	TableDaysByID     TableName = "days_by_id"
	TableLabelsByID   TableName = "labels_by_id"
	TableJoinCursor   TableName = "join_cursor"
	TableByIDCursor   TableName = "by_id_cursor"
	TableJoinMembers  TableName = "join_members"
	TableFindings     TableName = "findings"
	TableNotices      TableName = "notices"
	TableErasures     TableName = "erasures"
	TableSLI          TableName = "sli"
)

// ColumnType is a ClickHouse type as the DDL spells it. storage maps each of
// the constants below to its Arrow type; a column of any other type does not
// build.
type ColumnType string

// The closed list of column types.
const (
	TypeString      ColumnType = "String"
	TypeName        ColumnType = "LowCardinality(String)"
	TypeTime        ColumnType = "DateTime64(3, 'UTC')"
	TypeSecond      ColumnType = "DateTime('UTC')"
	TypeFloat       ColumnType = "Float64"
	TypeFloatOrNull ColumnType = "Nullable(Float64)"
	TypeInt8        ColumnType = "Int8"
	TypeInt32       ColumnType = "Int32"
	TypeInt64       ColumnType = "Int64"
	TypeUint8       ColumnType = "UInt8"
	TypeUint64      ColumnType = "UInt64"
	TypeNames       ColumnType = "Array(LowCardinality(String))"
	TypeNumbers     ColumnType = "Map(LowCardinality(String), Float64)"
	TypeCategories  ColumnType = "Map(LowCardinality(String), String)"

	// Sums of changes, which may be negative, in rows that replace each other.
	// Int256 holds fourth powers.
	TypeSum     ColumnType = "Int128"
	TypeWideSum ColumnType = "Int256"
	TypeChanges ColumnType = "Tuple(Array(Int32), Array(Int64))"

	// The merging types of rollups: rows of one key merge by adding up, so any
	// window is a merge of counts.
	TypeCount     ColumnType = "SimpleAggregateFunction(sum, UInt64)"
	TypeFixedSum  ColumnType = "SimpleAggregateFunction(sum, Int128)"
	TypeMin       ColumnType = "SimpleAggregateFunction(min, Float64)"
	TypeMax       ColumnType = "SimpleAggregateFunction(max, Float64)"
	TypeHistogram ColumnType = "SimpleAggregateFunction(sumMap, Tuple(Array(Int32), Array(UInt64)))"
)

// Column is one column of a table.
type Column struct {
	Name  string
	Type  ColumnType
	Codec string // ClickHouse codec, empty for the default
	// Default is the ClickHouse expression of the column in rows that a former
	// version stored without it; empty for the type's zero.
	Default string
	Doc     string // one sentence, with its unit
}

// Table declares one table once: DDL, Arrow schema, insert list and the table
// reference in docs are derived from it.
type Table struct {
	Name TableName
	Doc  string
	// Engine is the MergeTree family member without "Replicated", which storage
	// adds on a cluster.
	Engine      string
	Columns     []Column
	PartitionBy string
	// SearchBy is an expression in SQL that is the primary key alone, ahead of the
	// columns of OrderBy; empty where these are the key.
	SearchBy string
	OrderBy  string
	// Retention is the column, or the expression in SQL, whose age drops a row;
	// empty keeps rows for ever.
	Retention string
	Level     RetentionLevel
	// Extra holds index and projection clauses, one each.
	Extra    []string
	Settings []string
}

// RetentionLevel names which configured retention a table follows.
type RetentionLevel string

// The retention levels.
const (
	RetainForever RetentionLevel = ""
	RetainRaw     RetentionLevel = "raw"
	RetainMinutes RetentionLevel = "minutes"
	RetainHours   RetentionLevel = "hours"
)

// RequestsSQL is the ClickHouse expression of the whole number of requests that
// a row of predictions stands for: its weight, rounded up or down by a coin that
// its id tosses, so that counts are integers and right on average. ingest counts
// with the same one. Rows of versions that took weights below 1 stand for
// themselves.
const RequestsSQL = "toUInt64(floor(least(greatest(weight, 1.), 1e9))) + (xxHash64(prediction_id) * 11400714819323198485 < toUInt64((least(greatest(weight, 1.), 1e9) - floor(least(greatest(weight, 1.), 1e9))) * 18446744073709551616.))"

// sourceColumns say which Kafka record a raw row came from.
func sourceColumns() []Column {
	return []Column{
		{Name: "known", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "Kafka timestamp of the record: when the event became known."},
		{Name: "_topic", Type: TypeName, Doc: "Kafka topic of the record."},
		{Name: "_epoch", Type: TypeName, Doc: "Epoch of the topic partition: a recreated topic has another."},
		{Name: "_partition", Type: TypeInt32, Doc: "Kafka partition of the record."},
		{Name: "_offset", Type: TypeInt64, Codec: "Delta, ZSTD(1)", Doc: "Kafka offset of the record."},
	}
}

func keyColumns() []Column {
	return []Column{
		{Name: "model", Type: TypeName, Doc: "Model the row is about."},
		{Name: "deploy_hash", Type: TypeName, Doc: "Deploy of the model."},
		{Name: "stage", Type: TypeName, Doc: "production, canary, shadow or training."},
	}
}

func columns(groups ...[]Column) []Column {
	var all []Column
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

// knownIndex lets a reader that follows what is new skip everything older.
const knownIndex = "INDEX known_range known TYPE minmax GRANULARITY 1"

// offsetIndex lets a look before a replay find the rows of an offset range.
const offsetIndex = "INDEX offset_range _offset TYPE minmax GRANULARITY 1"

// Tables returns the whole schema, raw tables first.
func Tables() []Table {
	return []Table{
		predictionsTable(), labelsTable(), deploymentsTable(), kpisTable(),
		seriesTable(TableSeriesMinute, "minute", RetainMinutes), seriesTable(TableSeriesHour, "hour", RetainHours), categoriesTable(),
		batchesTable(), epochsTable(),
		outcomesTable(), outcomeCellsTable(), outcomeHoursTable(), scoreCellsTable(), daysByIDTable(), labelsByIDTable(), joinCursorTable(), byIDCursorTable(), joinMembersTable(),
		findingsTable(), driftDaysTable(), noticesTable(), erasuresTable(), sliTable(), incidentsTable(), ledgerTable(),
	}
}

func predictionsTable() Table {
	return Table{
		Name: TablePredictions, Doc: "Every delivered prediction, one row a delivery.",
		Engine: "MergeTree",
		Columns: columns(keyColumns(), []Column{
			{Name: "prediction_id", Type: TypeString, Codec: "ZSTD(1)", Doc: "Identifier of the prediction within its model."},
			{Name: "ts", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "Event time: when the model answered."},
			{Name: "numbers", Type: TypeNumbers, Codec: "ZSTD(1)", Doc: "Numeric features by name."},
			{Name: "categories", Type: TypeCategories, Codec: "ZSTD(1)", Doc: "Text and boolean features by name."},
			{Name: "nulls", Type: TypeNames, Codec: "ZSTD(1)", Doc: "Names of the features that were sent as null."},
			{Name: "segments", Type: TypeCategories, Codec: "ZSTD(1)", Doc: "Slices the prediction belongs to, as the event names them; docs/segments.md says which are counted."},
			{Name: "score", Type: TypeFloatOrNull, Codec: "ZSTD(1)", Doc: "Score or probability in the model's own unit."},
			{Name: "predicted", Type: TypeName, Doc: "Predicted class; empty for a regression."},
			{Name: "predicted_value", Type: TypeFloatOrNull, Codec: "ZSTD(1)", Doc: "Predicted number of a regression."},
			{Name: "latency_ms", Type: TypeFloatOrNull, Codec: "ZSTD(1)", Doc: "Latency of the answer in milliseconds."},
			{Name: "status", Type: TypeName, Doc: "ok, or the producer's error class."},
			{Name: "weight", Type: TypeFloat, Codec: "ZSTD(1)", Doc: "Requests this row stands for, 1 to 1e9; 1 unless the producer samples. Counts take it as a whole number: rounded up by chance where xxHash64(prediction_id) says so, so that they are right on average."},
			{Name: "propensity", Type: TypeFloatOrNull, Codec: "ZSTD(1)", Doc: "Probability with which the prediction is given a label, 1e-9 to 1, where the producer sends it; null where it does not. Labels are weighed by it where only some predictions ever get one."},
			{Name: "disagreement", Type: TypeFloatOrNull, Codec: "ZSTD(1)", Doc: "How far the members of an ensemble are from one answer: of votes the share that differ from the most frequent class, of scores their variance, else as the producer sends it; null where it tells of no ensemble."},
			{Name: "explained", Type: TypeFloatOrNull, Codec: "ZSTD(1)", Doc: "1 if the prediction carries an explanation, 0 if it has none, null where its producer does not say. The explanation itself is not stored."},
			{Name: "half", Type: TypeName, Doc: "request or response where the two come apart, under one prediction_id: see the view predictions_whole. Empty: the row is both."},
		}, sourceColumns()),
		PartitionBy: "toDate(ts)", OrderBy: "model, ts, prediction_id",
		Retention: "ts", Level: RetainRaw,
		Extra: []string{
			knownIndex, offsetIndex,
			// The join looks a prediction up by id; a projection is atomic with
			// its part, a second table or a view would not be.
			"PROJECTION by_id (SELECT model, prediction_id, ts, deploy_hash, stage, predicted, predicted_value, score, weight, propensity, half, segments, known, _topic, _epoch, _partition, _offset ORDER BY model, prediction_id)",
		},
		// A batch is 25 MB: in one file instead of one a column it costs an eighth
		// less. What is merged to more than this (128 MiB) has its columns apart.
		Settings: []string{"min_bytes_for_wide_part = 134217728"},
	}
}

func labelsTable() Table {
	return Table{
		Name: TableLabels, Doc: "Every delivered label, append-only.",
		Engine: "MergeTree",
		Columns: columns([]Column{
			{Name: "model", Type: TypeName, Doc: "Model the label is about."},
			{Name: "prediction_id", Type: TypeString, Codec: "ZSTD(1)", Doc: "Prediction the label is about."},
			{Name: "ts", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "Label time: when the truth was established."},
			{Name: "label", Type: TypeName, Doc: "True class; empty for a regression."},
			{Name: "label_value", Type: TypeFloatOrNull, Codec: "ZSTD(1)", Doc: "True number of a regression."},
			{Name: "deleted", Type: TypeUint8, Doc: "1 if the label withdraws the ones before it."},
		}, sourceColumns()),
		PartitionBy: "toYYYYMM(known)", OrderBy: "model, prediction_id, known",
		Retention: "known", Level: RetainRaw,
		Extra: []string{knownIndex, offsetIndex},
		// A label is looked up by its id alone, so small granules read less.
		Settings: []string{"index_granularity = 1024"},
	}
}

func deploymentsTable() Table {
	return Table{
		Name: TableDeployments, Doc: "Every deploy that began to serve.",
		Engine: "MergeTree",
		Columns: columns(keyColumns(), []Column{
			{Name: "ts", Type: TypeTime, Doc: "When the deploy began to serve."},
			{Name: "version", Type: TypeString, Doc: "Version in the registry's words."},
			{Name: "by", Type: TypeString, Doc: "Who deployed."},
			{Name: "commit", Type: TypeString, Doc: "Source commit."},
			{Name: "dataset_hash", Type: TypeString, Doc: "Hash of the training data: a correlation key."},
			{Name: "feature_job", Type: TypeString, Doc: "Feature pipeline job: a correlation key."},
			{Name: "note", Type: TypeString, Doc: "Free text."},
		}, sourceColumns()),
		PartitionBy: "toYYYYMM(ts)", OrderBy: "model, ts, deploy_hash",
		Extra: []string{offsetIndex},
	}
}

func seriesTable(name TableName, grain string, level RetentionLevel) Table {
	return Table{
		Name: name, Doc: "Rollup of every numeric series by " + grain + ", on the one grid; rows of one key add up.",
		Engine: "AggregatingMergeTree",
		Columns: columns(keyColumns(), []Column{
			{Name: "segment", Type: TypeName, Doc: "Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of."},
			{Name: "series", Type: TypeName, Doc: "requests, score, predicted_value, latency_ms, disagreement, explained or feature:NAME. A row of model '' marks what is stored of the source that series then names, see ingest."},
			{Name: "grid", Type: TypeName, Doc: "Grid version of the buckets; different versions never merge."},
			{Name: "time", Type: TypeSecond, Doc: "Start of the " + grain + ", event time."},
			{Name: "count", Type: TypeCount, Doc: "Requests that carry a finite value (requests: all of them): each delivery as often as its weight says."},
			{Name: "rows", Type: TypeCount, Default: "count", Doc: "Deliveries that count was counted from; less than count where producers sample. nulls, nans, infs, sum_nano and hist count requests like count."},
			{Name: "nulls", Type: TypeCount, Doc: "Values sent as null, where the source can tell; ingest counts the nulls of a feature in categories_hour with kind 1 and nothing here, since a null has no type."},
			{Name: "nans", Type: TypeCount, Doc: "NaN values."},
			{Name: "infs", Type: TypeCount, Doc: "Values with no place on the grid or in the sum: infinite, over 1e18 in magnitude, or a probability outside 0 to 1."},
			{Name: "sum_nano", Type: TypeFixedSum, Doc: "Sum of the finite values, fixed point in units of 1e-9."},
			{Name: "min", Type: TypeMin, Doc: "Least finite value; +inf where there is none."},
			{Name: "max", Type: TypeMax, Doc: "Greatest finite value; -inf where there is none. In a row of model '' the last Kafka offset stored."},
			{Name: "hist", Type: TypeHistogram, Codec: "T64, LZ4", Doc: "Sorted grid buckets and their counts; by minute only score and latency, on the coarse grid."},
		}),
		PartitionBy: "toYYYYMM(time)", OrderBy: "model, series, time, deploy_hash, stage, segment, grid",
		Retention: "time", Level: level,
		// A histogram is as large as a thousand usual rows: a day of one series
		// must not cost the reading of its whole month. Bit-packed counts are
		// smaller than ZSTD makes them, and unpack faster.
		Settings: []string{"index_granularity_bytes = 262144"},
	}
}

// Kinds of a row of categories_hour.
const (
	// KindValue is a category.
	KindValue uint8 = iota
	// KindNull counts values sent as null.
	KindNull
	// KindOther counts values over the cap of a batch.
	KindOther
)

func categoriesTable() Table {
	return Table{
		Name: TableCategories, Doc: "Rollup of every categorical series by hour: a count a value; rows of one key add up.",
		Engine: "AggregatingMergeTree",
		Columns: columns(keyColumns(), []Column{
			{Name: "segment", Type: TypeName, Doc: "Declared segment as key=value, key=other or a=x,b=y; empty for all traffic, which the others are part of."},
			{Name: "series", Type: TypeName, Doc: "predicted or feature:NAME. A row of model '' marks what is stored of the source that series then names, see ingest."},
			{Name: "time", Type: TypeSecond, Doc: "Start of the hour, event time."},
			{Name: "value", Type: TypeString, Codec: "ZSTD(1)", Doc: "The category, cut at 256 bytes."},
			{Name: "kind", Type: TypeUint8, Doc: "0 a value, 1 null, 2 other: values over the cap of a batch."},
			{Name: "count", Type: TypeCount, Doc: "Requests with this value: each delivery as often as its weight says."},
			{Name: "rows", Type: TypeCount, Default: "count", Doc: "Deliveries that count was counted from; less than count where producers sample."},
			{Name: "mark", Type: TypeMax, Doc: "In a row of model '' the last Kafka offset stored; 0 elsewhere."},
		}),
		PartitionBy: "toYYYYMM(time)", OrderBy: "model, series, time, deploy_hash, stage, segment, value, kind",
		Retention: "time", Level: RetainHours,
		// A day of one series is some thousand rows.
		Settings: []string{"index_granularity = 1024"},
	}
}

func batchesTable() Table {
	return Table{
		Name: TableBatches, Doc: "One row a stored batch and table, written last: what is complete.",
		Engine: "ReplacingMergeTree",
		Columns: []Column{
			{Name: "topic", Type: TypeName, Doc: "Kafka topic."},
			{Name: "epoch", Type: TypeName, Doc: "Epoch of the topic partition."},
			{Name: "partition", Type: TypeInt32, Doc: "Kafka partition."},
			{Name: "first", Type: TypeInt64, Doc: "First offset of the batch."},
			{Name: "last", Type: TypeInt64, Doc: "Last offset of the batch, inclusive."},
			{Name: "table", Type: TypeName, Doc: "Table that is complete for the range."},
			{Name: "rows", Type: TypeUint64, Doc: "Rows the batch put into the table. Fewer in predictions than events - dead: raw rows were left out, all of a batch because the disk was nearly full or some because the privacy policy samples. They are in the rollups and cannot be joined with labels."},
			{Name: "events", Type: TypeUint64, Doc: "Events of the batch that the table's rows are made of, and those that were refused; records that hold no event of ours are none."},
			{Name: "dead", Type: TypeUint64, Doc: "Events that went to the dead letters."},
			{Name: "plan", Type: TypeName, Doc: "Hash of decoder, schema, mapping and PII settings; behind a + that of the declared segments, if there are any."},
			{Name: "known_min", Type: TypeTime, Doc: "Least Kafka timestamp of the batch."},
			{Name: "known_max", Type: TypeTime, Doc: "Greatest Kafka timestamp of the batch."},
			{Name: "stored", Type: TypeTime, Doc: "Wall clock at which the batch was complete."},
			{Name: "ts_min", Type: TypeTime, Doc: "Least event time of the batch's rows; 1970 without rows, and where they were finished from raw rows in SQL."},
			{Name: "ts_max", Type: TypeTime, Doc: "Greatest event time of the batch's rows; likewise."},
		},
		PartitionBy: "", OrderBy: "topic, epoch, partition, first, last, table",
		// Who follows what is complete asks every second.
		Extra: []string{"INDEX stored_range stored TYPE minmax GRANULARITY 1"},
	}
}

func epochsTable() Table {
	return Table{
		Name: TableEpochs, Doc: "Fingerprint of each topic partition at first sight: a recreated topic gets another epoch.",
		Engine: "MergeTree",
		Columns: []Column{
			{Name: "topic", Type: TypeName, Doc: "Kafka topic."},
			{Name: "partition", Type: TypeInt32, Doc: "Kafka partition."},
			{Name: "epoch", Type: TypeName, Doc: "Epoch: hex of the fingerprint's hash."},
			{Name: "offset", Type: TypeInt64, Doc: "Offset of the fingerprinted record."},
			{Name: "record_time", Type: TypeTime, Doc: "Timestamp of the fingerprinted record."},
			{Name: "crc", Type: TypeInt64, Doc: "CRC-32C of the fingerprinted record's key and value."},
			{Name: "seen", Type: TypeTime, Doc: "Wall clock at which it was first seen."},
		},
		OrderBy: "topic, partition, seen",
	}
}

// FindingAge bounds how old a finding may be that a rule still sees: an analysis that
// misses a few runs is late, one that misses more is missing. The configuration of
// the analysis refuses pauses that come near it.
const FindingAge = 10 * time.Minute

func findingsTable() Table {
	return Table{
		Name: TableFindings, Doc: "What the analyzers found: one table for SQL, dashboards and PromQL alike.",
		Engine: "MergeTree",
		Columns: columns([]Column{
			{Name: "at", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "Wall clock at which it was computed."},
			{Name: "signal", Type: TypeName, Doc: "Signal of the catalogue."},
		}, keyColumns(), []Column{
			{Name: "segment", Type: TypeName, Doc: "Marginal slice; empty for all traffic."},
			{Name: "feature", Type: TypeName, Doc: "Feature, for drift and data quality; score, predicted, predicted_value, label or label_value for drift of what is not a feature."},
			{Name: "slo", Type: TypeName, Doc: "Service level objective, for burn rates."},
			{Name: "reference", Type: TypeName, Doc: "What it is compared with, for drift and data quality: training, previous-deploy, week-before and so on; of a share of a composite's burn its part."},
			{Name: "window", Type: TypeName, Doc: "Length of the window, for example 1h."},
			{Name: "window_end", Type: TypeTime, Doc: "End of the window, event time."},
			{Name: "measure", Type: TypeName, Doc: "Measure, for example psi, null_share or accuracy."},
			{Name: "value", Type: TypeFloat, Doc: "The number; NaN where nothing can be said."},
			{Name: "null_mean", Type: TypeFloat, Default: "nan", Doc: "What value would be on average if nothing had changed, for samples of these sizes; NaN where there is no such thing."},
			{Name: "low", Type: TypeFloat, Doc: "Lower end of its 95 % interval; NaN where there is none."},
			{Name: "high", Type: TypeFloat, Doc: "Upper end of its 95 % interval; NaN where there is none."},
			{Name: "p", Type: TypeFloat, Default: "nan", Doc: "Probability that noise alone puts value at least as far from null_mean, 0 to 1; NaN where nothing was tested."},
			{Name: "effect", Type: TypeFloat, Default: "nan", Doc: "value without null_mean, in the unit of value; it may be negative. NaN where there is none."},
			{Name: "count", Type: TypeUint64, Doc: "Events it was computed from."},
			{Name: "total", Type: TypeUint64, Doc: "Of how many requests, or minutes or slices of time, a bad share of burn is the share: each delivery as often as its weight says. 0 where that is not known, or the window has none and value is that of the last minute that had any."},
			{Name: "coverage", Type: TypeFloat, Doc: "Share of the window's predictions with a label, 0 to 1; of budget the share of the period that lies after the first that was counted. NaN where it does not apply."},
			{Name: "verdict", Type: TypeName, Doc: "ok, breach, insufficient or missing. A breach is beyond noise (p) and beyond what matters (effect)."},
			{Name: "assumes", Type: TypeString, Codec: "ZSTD(1)", Doc: "What the number rests on."},
		}),
		PartitionBy: "toYYYYMM(at)", OrderBy: "signal, model, deploy_hash, slo, segment, feature, window, at",
		Retention: "at", Level: RetainHours,
	}
}

func noticesTable() Table {
	return Table{
		Name: TableNotices, Doc: "What the service noticed about itself and did: parked partitions, new epochs, pages sent.",
		Engine: "MergeTree",
		Columns: []Column{
			{Name: "at", Type: TypeTime, Doc: "Wall clock."},
			{Name: "kind", Type: TypeName, Doc: "Kind, for example page_sent or partition_parked."},
			{Name: "model", Type: TypeName, Doc: "Model, where one is concerned."},
			{Name: "deploy_hash", Type: TypeName, Doc: "Deploy, where one is concerned."},
			{Name: "slo", Type: TypeName, Doc: "Service level objective, where one is concerned."},
			{Name: "object", Type: TypeString, Doc: "What it is about: a topic partition, a receiver."},
			{Name: "text", Type: TypeString, Codec: "ZSTD(1)", Doc: "One sentence for people."},
		},
		PartitionBy: "toYYYYMM(at)", OrderBy: "kind, at",
	}
}

func erasuresTable() Table {
	return Table{
		Name: TableErasures, Doc: "What plumbline erase has taken out of a table, by hour; never whose it was. A row is written before the rows it counts go.",
		Engine: "MergeTree",
		Columns: []Column{
			{Name: "at", Type: TypeTime, Doc: "Wall clock."},
			{Name: "model", Type: TypeName, Doc: "Model the rows were about."},
			{Name: "table", Type: TypeName, Doc: "Table they were in."},
			{Name: "rows", Type: TypeUint64, Doc: "How many they were."},
			{Name: "ts_min", Type: TypeTime, Doc: "Start of the hour of their event times; of labels, of the label times."},
			{Name: "ts_max", Type: TypeTime, Doc: "End of that hour, inclusive."},
		},
		OrderBy: "at, model, table",
	}
}
