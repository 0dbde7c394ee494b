package dataquality

// newFeature is the share of requests that carry a feature which the reference
// never had.
func newFeature() Check {
	return Check{
		Measure: "new_feature", Unit: "share", MinEffect: 0.01, EffectUnit: "share",
		Doc:  "Share of the requests that carry a feature which no request of the reference had. There is a finding only for such a feature.",
		Test: "exact two-sample test of a share, mid-p",
		judge: func(p Pair) (Result, bool) {
			if p.Reference.present() > 0 || p.Reference.Requests == 0 {
				return Result{}, false
			}
			return twoShares(p.Now.share(p.Now.present(), p.Now.Requests), p.Reference.share(0, p.Reference.Requests))
		},
	}
}
