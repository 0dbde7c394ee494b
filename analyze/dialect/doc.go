// Package dialect computes what other drift monitors would have printed: a
// peer's own definition of a distance and a peer's own threshold, on raw rows,
// at a pinned version of that peer, so that somebody who moves over can lay
// both results side by side.
//
// It is pure mathematics on columns in memory and imports nothing of ours. It
// feeds no finding and no alert, and it may not: the definitions are
// reproduced with their quirks (a threshold that ignores the size of a chunk,
// edges that move with the data they judge, a test that takes a sample for the
// truth), and the quirks stay behind this package. What Plumbline itself
// thinks of a column is in package drift.
//
// A dialect is Exact where the peer's source was read and its printed digits
// were compared, and Documented where only its documentation says what it
// computes. docs/dialects.md lists both, with what is known to differ.
package dialect

// Name identifies a peer.
type Name string

// The peers whose dialects are spoken.
const (
	NannyML    Name = "nannyml"
	Evidently  Name = "evidently"
	Deequ      Name = "deequ"
	SageMaker  Name = "sagemaker"
	Azure      Name = "azure"
	Vertex     Name = "vertex"
	Databricks Name = "databricks"
)

// Fidelity says what a dialect was written from.
type Fidelity string

// The two kinds of dialect.
const (
	// Exact dialects follow the peer's source, which is open.
	Exact Fidelity = "exact"
	// Documented dialects follow the peer's documentation; its source is
	// closed, so bins, ties and rounding are our reading of a page.
	Documented Fidelity = "documented"
)

// Peer describes one dialect.
type Peer struct {
	Name     Name
	Version  string // release or commit the definitions were taken from
	Fidelity Fidelity
	Source   string // where the definitions stand
	Measures []Measure
}

// Peers returns every dialect in the order of docs/dialects.md.
func Peers() []Peer {
	return []Peer{
		{NannyML, "0.13.1", Exact, "nannyml/drift/univariate/methods.py, nannyml/performance_estimation/confidence_based, nannyml/calibration.py, nannyml/sampling_error/binary_classification.py",
			[]Measure{KolmogorovSmirnov, JensenShannon, Hellinger, Wasserstein, LInfinity, ChiSquare}},
		{Evidently, "a4aa4c2", Exact, "src/evidently/legacy/calculations/stattests",
			[]Measure{KolmogorovSmirnov, ChiSquare, ZTest, Wasserstein, JensenShannon, PSI}},
		{Deequ, "0b8cea54", Exact, "Distance.scala",
			[]Measure{LInfinity, LInfinityRobust}},
		{SageMaker, "constraints.json, read 2026", Documented, "Model Monitor constraints page; the metric of the same name is in deequ",
			[]Measure{LInfinity, LInfinityRobust}},
		{Azure, "azure-ai-ml thresholds.py, read 2026", Documented, "defaults of the client; the computation is closed",
			[]Measure{Wasserstein, JensenShannon}},
		{Vertex, "gcloud defaults, read 2026", Documented, "Model Monitoring pages",
			[]Measure{LInfinity, JensenShannon}},
		{Databricks, "drift metrics table, read 2026", Documented, "data profiling pages",
			[]Measure{JensenShannon, KolmogorovSmirnov, Wasserstein, PSI, ChiSquare, TotalVariation, LInfinity}},
	}
}
