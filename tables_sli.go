package plumbline

func sliTable() Table {
	return Table{
		Name: TableSLI, Doc: "Good and all events of each service level indicator by minute, counted from the exact values; the greatest version replaces the others.",
		Engine: "ReplacingMergeTree(version)",
		Columns: []Column{
			{Name: "sli", Type: TypeName, Doc: "What is counted: its kind and a hash of model, segment, threshold and query. Objectives that count the same share it."},
			{Name: "model", Type: TypeName, Doc: "Model the row is about."},
			{Name: "deploy_hash", Type: TypeName, Doc: "Deploy of the model; empty for what is no deploy's, such as an endpoint's freshness."},
			{Name: "time", Type: TypeSecond, Doc: "Start of the minute, event time."},
			{Name: "good", Type: TypeUint64, Doc: "Good events: requests, each delivery as often as its weight says, or a minute."},
			{Name: "total", Type: TypeUint64, Doc: "All events that could be judged."},
			{Name: "rows", Type: TypeUint64, Doc: "Deliveries that total was counted from; less than total where producers sample."},
			{Name: "version", Type: TypeUint64, Doc: "How far the sources were read: unix milliseconds of the newest complete batch."},
		},
		PartitionBy: "toDate(time)", OrderBy: "sli, deploy_hash, time, model",
		Retention: "time", Level: RetainMinutes,
	}
}
