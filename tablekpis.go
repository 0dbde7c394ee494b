package plumbline

// TableKPIs holds the readings of business figures.
const TableKPIs TableName = "kpis"

func kpisTable() Table {
	return Table{
		Name: TableKPIs, Doc: "Every delivered reading of a business figure, append-only.",
		Engine: "MergeTree",
		Columns: columns([]Column{
			{Name: "model", Type: TypeName, Doc: "Model whose users the figure is about."},
			{Name: "name", Type: TypeName, Doc: "Figure, for example revenue or complaints."},
			{Name: "segment", Type: TypeName, Doc: "Slice the reading is about, as the producer names it, for example region=eu; empty for all traffic."},
			{Name: "ts", Type: TypeTime, Codec: "Delta, ZSTD(1)", Doc: "When the reading was taken."},
			{Name: "value", Type: TypeFloat, Codec: "ZSTD(1)", Doc: "The reading, in the figure's own unit; always finite."},
		}, sourceColumns()),
		PartitionBy: "toYYYYMM(ts)", OrderBy: "model, name, segment, ts",
		// It is small, and compared with the weeks before: it lives as long as
		// what is counted by hour.
		Retention: "ts", Level: RetainHours,
		Extra: []string{knownIndex, offsetIndex},
	}
}
