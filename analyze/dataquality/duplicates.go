package dataquality

import plumbline "github.com/plumbline-slo/plumbline"

// duplicateShare is judged by Reader.Repeats, on raw rows.
func duplicateShare() Check {
	return Check{
		Measure: plumbline.MeasureDuplicateShare, Unit: "share", MinEffect: 0.01, EffectUnit: "share",
		Doc:  "Share of the deliveries of a closed hour whose prediction_id was delivered before within that hour. The one check that reads raw rows; its limit is analyze.duplicate_share.",
		Test: "none: a repeat is a repeat",
	}
}
