package plumbline

// TableDriftDays holds what the detectors of drift tickets know.
const TableDriftDays TableName = "drift_days"

// MeasureTickets counts the streams of a segment that have a drift ticket open:
// the finding of SignalDriftAlarm that a rule asks for. Its feature is empty, and
// assumes names the streams, the strongest first, with the day that opened each.
const MeasureTickets = "tickets"

func driftDaysTable() Table {
	return Table{
		Name: TableDriftDays, Doc: "What the detectors of drift tickets saw and decided on each closed day, one row a day and stream: a service that starts goes on from the newest ones. Of a day the rows of the greatest version count, as long as no day before it has a greater one: days are looked at again, in order, when events come in late or the training set is another one.",
		Engine: "ReplacingMergeTree(version)",
		Columns: []Column{
			{Name: "model", Type: TypeName, Doc: "Model."},
			{Name: "end", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "End of the day, event time."},
			{Name: "segment", Type: TypeName, Doc: "Declared segment as key=value; empty for all traffic."},
			{Name: "series", Type: TypeName, Doc: "score, predicted_value, predicted or feature:NAME; requests in the rows that say that the day was looked at: events is then its requests, or those of the training set where reference is training."},
			{Name: "reference", Type: TypeName, Doc: "What the day is compared with: training, same-hours:4w and so on."},
			{Name: "measure", Type: TypeName, Doc: "Measure, for example psi."},
			{Name: "version", Type: TypeUint64, Doc: "Unix time in ms at which the day was looked at; it only grows."},
			{Name: "settings", Type: TypeName, Doc: "Hash of what the rows rest on: references, measures, least effects, budget, clusters. Rows of another one are not gone on from."},
			{Name: "events", Type: TypeUint64, Doc: "Independent events of the day."},
			{Name: "value", Type: TypeFloat, Default: "nan", Doc: "Distance of the day, in the measure's unit; NaN where nothing can be said."},
			{Name: "null_mean", Type: TypeFloat, Default: "nan", Doc: "What the distance would be on average if nothing had changed."},
			{Name: "p", Type: TypeFloat, Default: "nan", Doc: "Probability that a quiet day lies as far away; NaN where nothing was tested."},
			{Name: "evidence", Type: TypeFloat, Default: "nan", Doc: "What has accumulated."},
			{Name: "threshold", Type: TypeFloat, Default: "nan", Doc: "Evidence that opens a ticket."},
			{Name: "status", Type: TypeName, Doc: "quiet, suspect, opened, open or insufficient."},
			{Name: "assumes", Type: TypeString, Codec: "ZSTD(1)", Doc: "What p rests on."},
			{Name: "state", Type: TypeString, Codec: "ZSTD(1)", Doc: "What the detector knows after the day, as JSON."},
		},
		PartitionBy: "toYYYYMM(end)", OrderBy: "model, end, segment, series, reference, measure",
		Retention: "end", Level: RetainHours,
	}
}
