package dataquality

import plumbline "github.com/plumbline-slo/plumbline"

// typeChange is judged by Reader.TypeChanges, on numbers and texts of one name.
func typeChange() Check {
	return Check{
		Measure: plumbline.MeasureTypeChange, Unit: "share", EffectUnit: "share",
		Doc:  "Share of the feature's values that have another type than most of them had before, in the training rows and the week before. There is a finding only where there are some.",
		Test: "none: a feature of one type has none, so one is a breach",
	}
}
