package dataquality

// infiniteShare is the share of a feature's values that have no place on the
// grid.
func infiniteShare() Check {
	return Check{
		Measure: "infinite_share", Unit: "share", MinEffect: 0.01, EffectUnit: "share",
		Doc:  "Share of the feature's values that are infinite, or over 1e18 in magnitude; numeric features only.",
		Test: "exact two-sample test of a share, mid-p",
		judge: func(p Pair) (Result, bool) {
			if !numeric(p) {
				return Result{}, false
			}
			return twoShares(p.Now.share(p.Now.Infs, p.Now.values()), p.Reference.share(p.Reference.Infs, p.Reference.values()))
		},
	}
}
