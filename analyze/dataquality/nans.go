package dataquality

// nanShare is the share of a feature's values that are not a number.
func nanShare() Check {
	return Check{
		Measure: "nan_share", Unit: "share", MinEffect: 0.01, EffectUnit: "share",
		Doc:  "Share of the feature's values that are NaN; numeric features only.",
		Test: "exact two-sample test of a share, mid-p",
		judge: func(p Pair) (Result, bool) {
			if !numeric(p) {
				return Result{}, false
			}
			return twoShares(p.Now.share(p.Now.NaNs, p.Now.values()), p.Reference.share(p.Reference.NaNs, p.Reference.values()))
		},
	}
}

// numeric reports whether a feature was ever a number.
func numeric(p Pair) bool {
	n := func(s Sample) uint64 { return s.numbers() + s.NaNs + s.Infs }
	return n(p.Now)+n(p.Reference) > 0
}
