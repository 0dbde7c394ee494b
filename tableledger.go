package plumbline

// TableLedger holds what became of alarms.
const TableLedger TableName = "ledger"

// The truths of an alarm, as the column ledger.truth spells them.
const (
	TruthTrue      = "true"
	TruthFalse     = "false"
	TruthUndecided = "undecided"
)

func ledgerTable() Table {
	return Table{
		Name: TableLedger, Doc: "One row a quality or drift alarm, suspected concept drift among them, with what labels said of it later; the greatest version replaces the others.",
		Engine: "ReplacingMergeTree(version)",
		Columns: []Column{
			{Name: "alarm", Type: TypeString, Doc: "Incident, or drift- and a hash of stream and day."},
			{Name: "kind", Type: TypeName, Doc: "quality, drift or concept_drift."},
			{Name: "model", Type: TypeName, Doc: "Model."},
			{Name: "deploy_hash", Type: TypeName, Doc: "Deploy that the alarm was about; of a drift ticket the newest one."},
			{Name: "slo", Type: TypeName, Doc: "Service level objective; of a drift the one that it was judged by, empty if there is none, and of suspected concept drift."},
			{Name: "segment", Type: TypeName, Doc: "Declared segment; empty for all traffic."},
			{Name: "signal", Type: TypeName, Doc: "Signal that fired."},
			{Name: "severity", Type: TypeName, Doc: "Highest level that it reached: page or ticket."},
			{Name: "claim", Type: TypeString, Codec: "ZSTD(1)", Doc: "What fired, in words; of an incident of drift with the name of its objective."},
			{Name: "opened", Type: TypeTime, Doc: "When it opened."},
			{Name: "closed", Type: TypeTime, Doc: "When it was over; 1970 while it lasts."},
			{Name: "window_from", Type: TypeTime, Doc: "Start of the event times that it claims something about; of suspected concept drift the end of the window whose labels raised it."},
			{Name: "window_to", Type: TypeTime, Doc: "Their end."},
			{Name: "truth", Type: TypeName, Doc: "true if the quality of that window was outside of promised_low to promised_high, which of an objective is under its target, false if it was not, undecided as long as labels cannot tell."},
			{Name: "reason", Type: TypeString, Codec: "ZSTD(1)", Doc: "Why it is undecided or, of a decision though labels are missing, that they cannot change it; else empty."},
			{Name: "target", Type: TypeFloat, Doc: "Target of the objective, or what scores promised of the window; NaN where there is none to judge by."},
			{Name: "promised_low", Type: TypeFloat, Default: "nan", Doc: "Least quality that makes the alarm wrong: that target, or the lower end of the 95 % interval of what scores promised. NaN without one, and in rows of versions before there was the column."},
			{Name: "promised_high", Type: TypeFloat, Default: "nan", Doc: "Greatest quality that makes it wrong: 1 of an objective, or the upper end of that interval."},
			{Name: "quality", Type: TypeFloat, Doc: "Share of correct predictions among those labelled, or their mean absolute error where scores promised that; NaN without labels."},
			{Name: "low", Type: TypeFloat, Doc: "Lower end of where the quality of the whole window lies: the 95 % interval where labels that are in stand for those that are missing, else whatever these say."},
			{Name: "high", Type: TypeFloat, Doc: "Upper end of it; infinite for errors of which labels are missing."},
			{Name: "coverage", Type: TypeFloat, Doc: "Share of the window's predictions with a label, 0 to 1; NaN without predictions."},
			{Name: "labelled", Type: TypeInt64, Doc: "Labelled predictions of the window."},
			{Name: "requests", Type: TypeInt64, Doc: "Predictions of the window."},
			{Name: "matured", Type: TypeTime, Doc: "End of the hour in which labels first said so; 1970 while undecided."},
			{Name: "lead_s", Type: TypeFloatOrNull, Doc: "Seconds from opened to matured of an alarm that was right: how much earlier than labels it was, negative if later."},
			{Name: "rollback_to", Type: TypeName, Doc: "Earlier deploy that was brought back after the alarm; empty if none was within analyze.ledger.rollback_within."},
			{Name: "rollback_at", Type: TypeTime, Doc: "When it began to serve again; 1970 if it did not."},
			{Name: "judged", Type: TypeTime, Doc: "Wall clock of the judgement."},
			{Name: "version", Type: TypeUint64, Doc: "The same in milliseconds: a later judgement replaces an earlier one."},
		},
		PartitionBy: "toYYYYMM(opened)", OrderBy: "model, opened, alarm",
	}
}

// The views of the ledger.
const (
	ViewAlarmPrecision ViewName = "alarm_precision"
	ViewAlarmLead      ViewName = "alarm_lead"
	ViewDriftRollback  ViewName = "drift_rollback"
)

func alarmPrecisionView() View {
	return View{
		Name: ViewAlarmPrecision,
		Doc:  "Of the alarms that opened in a month, by model, kind and level: how many were right and wrong by the labels that came in later, how many cannot be judged yet, and the precision among those judged with its 95 % interval (Wilson). Without a judged alarm it is NULL.",
		Example: `SELECT month, model, kind, precision, low, high, undecided
FROM alarm_precision
WHERE model = 'flight-delay'
ORDER BY month DESC`,
		SQL: `SELECT month, model, kind, severity, alarms, was_right, was_wrong, undecided, judged,
  if(judged = 0, NULL, was_right / judged) AS precision,
  if(judged = 0, NULL, (was_right + z2 / 2 - z * sqrt(was_right * was_wrong / judged + z2 / 4)) / (judged + z2)) AS low,
  if(judged = 0, NULL, (was_right + z2 / 2 + z * sqrt(was_right * was_wrong / judged + z2 / 4)) / (judged + z2)) AS high
FROM (
  SELECT toStartOfMonth(opened) AS month, toString(model) AS model, toString(kind) AS kind, toString(severity) AS severity,
    count() AS alarms, countIf(truth = 'true') AS was_right, countIf(truth = 'false') AS was_wrong, countIf(truth = 'undecided') AS undecided,
    was_right + was_wrong AS judged, 1.959963984540054 AS z, z * z AS z2
  FROM ledger FINAL
  GROUP BY month, model, kind, severity
)`,
	}
}

func alarmLeadView() View {
	return View{
		Name: ViewAlarmLead,
		Doc:  "One row an alarm that was right: how many seconds before the labels said so it was there, negative if after.",
		Example: `SELECT model, kind, count(), quantileExact(0.5)(lead_s) AS median_lead_s
FROM alarm_lead
WHERE opened >= now() - INTERVAL 90 DAY
GROUP BY model, kind`,
		SQL: `SELECT toString(alarm) AS alarm, toString(kind) AS kind, toString(model) AS model, toString(deploy_hash) AS deploy_hash, toString(slo) AS slo, toString(severity) AS severity,
  opened, matured, assumeNotNull(lead_s) AS lead_s
FROM ledger FINAL
WHERE truth = 'true' AND isNotNull(lead_s)`,
	}
}

func driftRollbackView() View {
	return View{
		Name: ViewDriftRollback,
		Doc:  "Of the drift alarms that opened in a month, suspected concept drift among them, by model: how many were followed by an earlier deploy that came back, and how many of these were right.",
		Example: `SELECT month, model, drifts, rolled_back, ratio
FROM drift_rollback
ORDER BY month DESC, model`,
		SQL: `SELECT toStartOfMonth(opened) AS month, toString(model) AS model, count() AS drifts, countIf(rollback_to != '') AS rolled_back,
  rolled_back / drifts AS ratio, countIf(rollback_to != '' AND truth = 'true') AS rolled_back_rightly
FROM ledger FINAL
WHERE kind IN ('drift', 'concept_drift')
GROUP BY month, model`,
	}
}
