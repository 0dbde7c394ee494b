package plumbline

// TableIncidents keeps the incidents as rows.
const TableIncidents TableName = "incidents"

// ViewIncidentTimes says how long people took.
const ViewIncidentTimes ViewName = "incident_times"

func incidentsTable() Table {
	return Table{
		Name: TableIncidents, Doc: "One row an incident that people were told of; the greatest version replaces the others.",
		Engine: "ReplacingMergeTree(version)",
		Columns: []Column{
			{Name: "incident", Type: TypeString, Doc: "Incident: the first 16 digits of its key, a dash, and when it opened in base 36."},
			{Name: "key", Type: TypeString, Doc: "PagerDuty's dedup_key, the same for every incident of a model, deploy and SLO."},
			{Name: "model", Type: TypeName, Doc: "Model; empty for an incident of the service itself."},
			{Name: "deploy_hash", Type: TypeName, Doc: "Deploy of the model."},
			{Name: "slo", Type: TypeName, Doc: "Service level objective."},
			{Name: "name", Type: TypeName, Doc: "Alerting rule of the first notice."},
			{Name: "object", Type: TypeString, Doc: "What an incident of the service itself is about."},
			{Name: "owner", Type: TypeName, Doc: "Owner who was told."},
			{Name: "severity", Type: TypeName, Doc: "Highest level that it reached: page or ticket."},
			{Name: "dataset_hash", Type: TypeName, Doc: "Training set that correlates it with others; empty if none is known."},
			{Name: "feature_job", Type: TypeName, Doc: "Feature pipeline job that correlates it with others; empty if none is known."},
			{Name: "opened", Type: TypeTime, Doc: "When its first alert began to fire."},
			{Name: "escalated", Type: TypeTime, Doc: "When its first page began to fire; 1970 for a ticket."},
			{Name: "acknowledged", Type: TypeTime, Doc: "First acknowledgement at its highest level, none while the page fires again that nobody has taken; 1970 if nobody has."},
			{Name: "acknowledged_by", Type: TypeString, Doc: "Who acknowledged."},
			{Name: "resolved", Type: TypeTime, Doc: "When its last alert ended; 1970 while it lasts."},
			{Name: "history", Type: TypeString, Codec: "ZSTD(1)", Doc: "What happened, oldest first: JSON objects with at, kind, channel, by, text."},
			{Name: "version", Type: TypeUint64, Doc: "Wall clock of the writing in milliseconds."},
		},
		PartitionBy: "toYYYYMM(opened)", OrderBy: "model, opened, incident",
	}
}

func incidentTimesView() View {
	return View{
		Name: ViewIncidentTimes,
		Doc:  "One row an incident: how long until somebody acknowledged it and until it was resolved, in seconds; NULL where that has not happened. Their means over a range of time are MTTA and MTTR.",
		Example: `SELECT model, count() AS incidents, avg(to_acknowledge_s) AS mtta_s, avg(to_resolve_s) AS mttr_s
FROM incident_times
WHERE severity = 'page' AND opened >= now() - INTERVAL 30 DAY
GROUP BY model`,
		SQL: `SELECT incident, model, deploy_hash, slo, name, object, owner, severity, dataset_hash, feature_job, opened,
  if(resolved > toDateTime64(0, 3, 'UTC'), 'resolved', if(acknowledged > toDateTime64(0, 3, 'UTC'), 'acknowledged', 'open')) AS status, acknowledged_by,
  if(acknowledged > toDateTime64(0, 3, 'UTC'), dateDiff('millisecond', if(escalated > toDateTime64(0, 3, 'UTC'), escalated, opened), acknowledged) / 1000, NULL) AS to_acknowledge_s,
  if(resolved > toDateTime64(0, 3, 'UTC'), dateDiff('millisecond', opened, resolved) / 1000, NULL) AS to_resolve_s
FROM incidents FINAL`,
	}
}
