package dataquality

// nullShare is the share of the requests that carry a feature whose value is
// null.
func nullShare() Check {
	return Check{
		Measure: "null_share", Unit: "share", MinEffect: 0.02, EffectUnit: "share",
		Doc:  "Share of the requests that carry the feature in which it is null.",
		Test: "exact two-sample test of a share, mid-p",
		judge: func(p Pair) (Result, bool) {
			return twoShares(p.Now.share(p.Now.Nulls, p.Now.present()), p.Reference.share(p.Reference.Nulls, p.Reference.present()))
		},
	}
}
