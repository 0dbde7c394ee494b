package measure

import "math"

// ID names a measure in findings, settings and SQL.
type ID string

// The measures.
const (
	PSI              ID = "psi"
	KL               ID = "kl"
	JS               ID = "js"
	Hellinger        ID = "hellinger"
	ChiSquare        ID = "chi_square"
	TVD              ID = "tvd"
	LInfinity        ID = "l_infinity"
	KS               ID = "ks"
	CramerVonMises   ID = "cramer_von_mises"
	Wasserstein      ID = "wasserstein"
	WassersteinScale ID = "wasserstein_normalised"
)

// Definition declares one measure.
type Definition struct {
	ID ID
	// Title is its name for people, Formula what it computes; p and q are the
	// shares of a cell in the reference and in the current sample, F and G their
	// cumulative shares.
	Title, Formula string
	// Unit is what a value of 1 is one of.
	Unit string
	// Max is the greatest value it can have; the least is always 0. +Inf if
	// there is none.
	Max float64
	// Numbers and Categories say for which features it is defined.
	Numbers, Categories bool
	// OnCells says that it is computed from cells, otherwise from all buckets of
	// the grid, in their order.
	OnCells bool
	// MinEffect is the least value beyond noise that matters in practice, in
	// Unit. NaN if no number fits every feature: it then alarms only where one
	// is configured.
	MinEffect float64
	// Source is the paper or page that defines it.
	Source string
}

// Table returns every measure, in the order in which results are listed.
func Table() []Definition {
	all := table()
	return all[:]
}

// table is an array: looking one up, which every comparison does, takes no
// memory.
func table() [11]Definition {
	inf, none := math.Inf(1), math.NaN()
	return [...]Definition{
		{PSI, "population stability index", "sum (q-p) ln(q/p), a cell empty in one sample counting half an event", "nat", inf, true, true, true, 0.1,
			"Kullback & Leibler 1951, eq. 2.6 (J-divergence); its null: Yurdakul 2018, ch. 3"},
		{KL, "Kullback-Leibler divergence of the current sample from the reference", "sum q ln(q/p), a cell empty in one sample counting half an event", "nat", inf, true, true, true, 0.05,
			"Kullback & Leibler 1951, eq. 2.4"},
		{JS, "Jensen-Shannon distance", "sqrt of (KL(p||(p+q)/2) + KL(q||(p+q)/2)) / 2, logarithms to base 2", "sqrt(bit)", 1, true, true, true, 0.1,
			"Lin 1991, eq. 3.1; a metric: Endres & Schindelin 2003"},
		{Hellinger, "Hellinger distance", "sqrt(1 - sum sqrt(p q))", "1", 1, true, true, true, 0.1,
			"Le Cam 1986, section 4.2"},
		{ChiSquare, "chi-square distance", "sum (p-q)^2 / pooled share: Pearson's statistic times (1/n + 1/m)", "1", inf, true, true, true, 0.1,
			"Pearson 1900; two samples: Cramér 1946, section 30.6"},
		{TVD, "total variation distance", "sum |p-q| / 2", "share", 1, true, true, true, 0.05,
			"Levin, Peres & Wilmer 2009, prop. 4.2"},
		{LInfinity, "greatest change of a share", "max |p-q|", "share", 1, true, true, true, 0.05,
			"Chebyshev distance; as a drift measure: TFX data validation, Breck et al. 2019, section 4"},
		{KS, "Kolmogorov-Smirnov distance", "max |F-G| over all buckets of the grid", "share", 1, true, false, false, 0.05,
			"Smirnov 1939; small sizes: Stephens 1970, table 1"},
		{CramerVonMises, "Cramér-von Mises distance", "sqrt of the mean of (F-G)^2 over the pooled values", "share", 1, true, false, false, 0.05,
			"Anderson 1962, eq. 2; its limit: Anderson & Darling 1952, eq. 4.35"},
		{Wasserstein, "Wasserstein distance of order 1", "integral |F-G| dx over the grid", "unit of the feature", inf, true, false, false, none,
			"Vallender 1974; Ramdas, Garcia & Cuturi 2017, section 2.3"},
		{WassersteinScale, "Wasserstein distance in standard deviations of the reference", "integral |F-G| dx / sd of the reference", "sd", inf, true, false, false, 0.05,
			"as wasserstein"},
	}
}

// Lookup returns the definition of a measure.
func Lookup(id ID) (Definition, bool) {
	all := table()
	for i := range all {
		if all[i].ID == id {
			return all[i], true
		}
	}
	return Definition{}, false
}
