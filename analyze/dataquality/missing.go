package dataquality

// missingShare is the share of requests that do not carry a feature.
func missingShare() Check {
	return Check{
		Measure: "missing_share", Unit: "share", MinEffect: 0.02, EffectUnit: "share",
		Doc:  "Share of the requests that do not carry the feature at all; 1 where it is no longer sent.",
		Test: "exact two-sample test of a share, mid-p",
		judge: func(p Pair) (Result, bool) {
			if p.Reference.present() == 0 {
				return Result{}, false // a new feature
			}
			return twoShares(p.Now.share(p.Now.Requests-p.Now.present(), p.Now.Requests),
				p.Reference.share(p.Reference.Requests-p.Reference.present(), p.Reference.Requests))
		},
	}
}
