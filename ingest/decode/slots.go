package decode

// slot is what a field of a schema that is not ours is to us.
type slot uint8

// The slots. Of slotFeatures and slotSegments the members are slotFeature and
// slotSegment.
const (
	slotNone slot = iota // unknown: skipped and counted
	slotID
	slotModel
	slotDeploy
	slotStage
	slotTS
	slotScore
	slotPredicted
	slotLatency
	slotStatus
	slotWeight
	slotPropensity
	slotDisagreement
	slotExplained
	slotKPIName
	slotKPIValue
	slotKPISegment
	slotLabel
	slotVersion // the texts of a deployment, in their order
	slotBy
	slotCommit
	slotDataset
	slotJob
	slotNote
	slotFeatures
	slotSegments
	slotFeature
	slotSegment
)

// slotOf returns the slot of a top-level field. The names are those of our own
// JSON.
func slotOf(kind Kind, field string) slot {
	for _, f := range kindFields(kind) {
		if f.name == field {
			return f.at
		}
	}
	return slotNone
}

type kindField struct {
	name     string
	at       slot
	required bool
}

// kindFields returns the fields of a kind of events.
func kindFields(kind Kind) []kindField {
	switch kind {
	case KindPredictions:
		return []kindField{
			{"prediction_id", slotID, true}, {"model", slotModel, true}, {"deploy_hash", slotDeploy, true}, {"ts", slotTS, true},
			{"stage", slotStage, false}, {"features", slotFeatures, false}, {"segments", slotSegments, false}, {"score", slotScore, false},
			{"predicted", slotPredicted, false}, {"latency_ms", slotLatency, false}, {"status", slotStatus, false}, {"weight", slotWeight, false},
			{"propensity", slotPropensity, false}, {"disagreement", slotDisagreement, false}, {"explained", slotExplained, false},
		}
	case KindLabels:
		return []kindField{{"prediction_id", slotID, true}, {"model", slotModel, true}, {"ts", slotTS, true}, {"label", slotLabel, true}}
	case KindDeployments:
		return []kindField{
			{"model", slotModel, true}, {"deploy_hash", slotDeploy, true}, {"ts", slotTS, true}, {"stage", slotStage, false},
			{"version", slotVersion, false}, {"by", slotBy, false}, {"commit", slotCommit, false},
			{"dataset_hash", slotDataset, false}, {"feature_job", slotJob, false}, {"note", slotNote, false},
		}
	case KindKPIs:
		return []kindField{
			{"model", slotModel, true}, {"name", slotKPIName, true}, {"ts", slotTS, true}, {"value", slotKPIValue, true}, {"segment", slotKPISegment, false},
		}
	}
	return nil
}

// valueType is the type of a plain value, whatever the schema's language.
type valueType uint8

const (
	valueText valueType = iota
	valueNumber
	valueInteger
	valueBool
	valueInstant // an integer of which the schema says that it is a time
)

// takes reports whether a slot takes values of a type.
func (at slot) takes(v valueType) bool {
	switch at {
	case slotTS:
		return v == valueText || v == valueInteger || v == valueInstant
	case slotScore, slotLatency, slotWeight, slotPropensity, slotDisagreement, slotKPIValue:
		return v == valueNumber || v == valueInteger
	case slotPredicted, slotLabel, slotFeature, slotSegment:
		return true
	case slotExplained:
		return v == valueBool
	case slotFeatures, slotSegments, slotNone:
		return false
	}
	return v == valueText
}

// wants says what a slot takes, as a hint.
func (at slot) wants() string {
	switch at {
	case slotTS:
		return "declare it as a time in milliseconds or microseconds, or as an RFC 3339 string"
	case slotScore, slotLatency, slotWeight, slotPropensity, slotDisagreement, slotKPIValue:
		return "declare it as a number"
	case slotExplained:
		return "declare it as a boolean"
	case slotPredicted, slotLabel:
		return "declare it as a string, an enum, a boolean or a number"
	case slotFeatures, slotFeature:
		return "declare features as a record or a map of numbers, strings, enums and booleans; flatten what is nested"
	case slotSegments, slotSegment:
		return "declare segments as a record or a map of strings, enums, booleans and numbers"
	}
	return "declare it as a string"
}

// target is what a plan knows of a value before it is read.
type target struct {
	at slot
	// feature is the place of a feature's name among those of the plan; negative
	// if the name of a feature or segment stands in the event.
	feature int32
	field   string
	name    []byte // field, of a segment
}

// place names the field for errors; the members of a map are named by whoever
// reads the map.
func (s *target) place() string {
	switch {
	case s.feature < 0:
		return ""
	case s.at == slotFeature:
		return "features." + s.field
	case s.at == slotSegment:
		return "segments." + s.field
	}
	return s.field
}
