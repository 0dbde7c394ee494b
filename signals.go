package plumbline

import (
	"errors"
	"fmt"
	"slices"
)

// SignalName names a signal: the value of the column findings.signal.
type SignalName string

// The signals.
const (
	SignalVolume SignalName = "volume"
	SignalDrift  SignalName = "drift"
	// SignalPredictionDrift is about what the model answers, SignalLabelDrift
	// about what turns out to be true, SignalConceptDrift about what turns out to
	// be true where the model answers the same.
	SignalPredictionDrift SignalName = "prediction_drift"
	SignalLabelDrift      SignalName = "label_drift"
	SignalConceptDrift    SignalName = "concept_drift"
	// SignalDriftAlarm is the decision over closed blocks, under the budget of
	// false tickets.
	SignalDriftAlarm SignalName = "drift_alarm"
	SignalQuality    SignalName = "quality"
	SignalBurn       SignalName = "burn"
	// SignalBudget is what is left of the error budget of an SLO's period.
	SignalBudget   SignalName = "budget"
	SignalCoverage SignalName = "coverage"
	// SignalDataQuality is about the events themselves.
	SignalDataQuality SignalName = "data_quality"
)

// Measures of the signals, as the column findings.measure spells them.
const (
	MeasurePSI      = "psi"
	MeasureAccuracy = "accuracy"
	// MeasureBadShare is the share of bad events in a window: the error ratio
	// that a burn rate is computed from.
	MeasureBadShare = "bad_share"
	// MeasureEstimatedBadShare is MeasureBadShare of a window whose labels are not
	// all in, as estimated: the nowcast of a burn rate.
	MeasureEstimatedBadShare = "estimated_bad_share"
	// MeasureBadShareOfPart is what one part of a composite, named in the column
	// reference, makes up of its MeasureBadShare: parts sum to it.
	MeasureBadShareOfPart = "bad_share_of_part"
	MeasureCoverage       = "coverage"
	// MeasureBudgetLeft is the share of an error budget that is left: 1 of an
	// untouched one, 0 of one that is spent, below 0 of one that is overspent.
	MeasureBudgetLeft = "left"
	// MeasureTypeChange is the share of a feature's values that have another
	// type than before, MeasureDuplicateShare that of deliveries that repeat one
	// of the same hour.
	MeasureTypeChange     = "type_change"
	MeasureDuplicateShare = "duplicate_share"
)

// Verdicts of a finding. Missing data is a state of its own and never healthy.
const (
	VerdictOK           = "ok"
	VerdictBreach       = "breach"
	VerdictInsufficient = "insufficient"
	VerdictMissing      = "missing"
)

// AssumesElsewhere is what the column findings.assumes says of a window that is missing
// because other deploys of the model serve. What was known of it before does not hold
// any more, as it does of a window that is missing because nobody knows.
const AssumesElsewhere = "all events are counted: other deploys had some in the window, this one had none"

// AssumesUncounted begins what findings.assumes says of a window that is missing because
// the SLO's own statement failed; how it failed follows.
const AssumesUncounted = "it could not be counted: "

// References of a drift and of data quality, as the column findings.reference
// spells them.
const (
	// ReferenceTraining is the training set.
	ReferenceTraining = "training"
	// ReferenceWeekBefore is production in the seven days before the window.
	ReferenceWeekBefore = "week-before"
	// ReferencePreviousDeploy is what served before the deploy.
	ReferencePreviousDeploy = "previous-deploy"
	// ReferenceHistory is production in the time before the window that
	// analyze.label_history says.
	ReferenceHistory = "history"
)

// Direction says which way a signal gets better.
type Direction int

// The directions.
const (
	LowerIsBetter Direction = iota + 1
	HigherIsBetter
	NeitherIsBetter
)

// OwnerKind says who acts on a signal.
type OwnerKind string

// The kinds of owners.
const (
	OwnerOnCall OwnerKind = "on-call"
	OwnerModel  OwnerKind = "model owner"
)

// Signal declares one signal once; schema docs, rules, dashboards and the
// reference are generated from the list that Signals returns.
type Signal struct {
	Name        SignalName
	Unit        string // a Grafana unit: percentunit, short, none
	Description string
	Owner       OwnerKind
	Good        Direction
	// Panel titles the on-call panel that shows the signal.
	Panel string
	// SQL returns the signal for a person: columns time, metric, value. It may
	// use Grafana's $__fromTime and $__toTime, the variable $model and the list
	// $partial of the models with partial feedback, which dashboards expand and
	// quote.
	SQL string
	// Rule names the default alert; empty needs NoRule.
	Rule string
	// NoRule is the reason why the signal has no default alert.
	NoRule string
	// Runbook is the page under docs/runbooks, without its ending.
	Runbook string
}

// Validate returns an error that names the signal and the field that is
// missing: a signal without an owner, a panel, or a reason not to alert does
// not build.
func (s Signal) Validate() error {
	var errs []error
	missing := func(field string) {
		errs = append(errs, fmt.Errorf("signal %q: %s is missing", s.Name, field))
	}
	if s.Name == "" {
		missing("name")
	}
	if s.Owner == "" {
		missing("owner")
	}
	if s.Panel == "" || s.SQL == "" {
		missing("panel or its SQL")
	}
	if s.Description == "" || s.Unit == "" || s.Good == 0 {
		missing("description, unit or direction")
	}
	if s.Rule == "" && s.NoRule == "" {
		missing("rule, or the reason why it has none,")
	}
	if s.Rule != "" && s.Runbook == "" {
		missing("runbook of its rule")
	}
	return errors.Join(errs...)
}

// Signals returns every signal the service computes.
func Signals() []Signal {
	return slices.Concat(serviceSignals(), trafficSignals(), outcomeSignals(), proxySignals(), fairnessSignals(), delaySignals())
}

// serviceSignals are those that objectives stand on.
func serviceSignals() []Signal {
	return []Signal{
		{
			Name: SignalBurn, Unit: "percentunit", Owner: OwnerOnCall, Good: LowerIsBetter,
			Description: "Share of bad events of an SLO by window (labelled predictions that were wrong, where it is on quality); the alert compares it with burn-rate factor x (1 - target).",
			Panel:       "Is an SLO burning? Bad share by window, against its thresholds",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(slo, ' ', deploy_hash, ' ', window) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			Rule: "SLOBurn", Runbook: "slo-burn",
		},
		{
			Name: SignalQuality, Unit: "percentunit", Owner: OwnerModel, Good: HigherIsBetter,
			Description: "Accuracy by hour of the prediction over the labels that are in, with its deploy; read it together with coverage. Of a model that decides itself which predictions ever get a label ($partial), labels say nothing of the others: it is left out here, and the panel has the bounds between which its accuracy is.",
			Panel:       "Is the model still right? Accuracy of labelled predictions",
			SQL: `SELECT toStartOfHour(time) AS time, concat(model, ' ', deploy_hash) AS metric, sum(correct) / sum(labelled) AS value
FROM outcome_cells FINAL
WHERE stage = 'production' AND segment = '' AND model IN ($model) AND NOT has($partial, model) AND time >= $__fromTime AND time <= $__toTime
GROUP BY time, metric HAVING sum(labelled) > 0
ORDER BY time, metric`,
			NoRule: "An SLO on it pages as burn; a second alert on the same number would page twice.",
		},
		{
			Name: SignalCoverage, Unit: "percentunit", Owner: OwnerModel, Good: HigherIsBetter,
			Description: "Share of the predictions of an hour whose label is known.",
			Panel:       "Can accuracy be trusted? Share of predictions with a label",
			SQL: `SELECT time, metric, least(sum(labelled) / sum(requests), 1) AS value
FROM (
  SELECT toStartOfHour(time) AS time, model AS metric, sum(labelled) AS labelled, 0 AS requests
  FROM outcome_cells FINAL WHERE stage = 'production' AND segment = '' AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime GROUP BY time, metric
  UNION ALL
  SELECT time, model AS metric, 0 AS labelled, sum(count) AS requests
  FROM series_hour WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime GROUP BY time, metric
)
GROUP BY time, metric HAVING sum(requests) > 0
ORDER BY time, metric`,
			NoRule: "Late labels are normal; a dead label pipeline gets an SLI of its own.",
		},
		{
			Name: SignalBudget, Unit: "percentunit", Owner: OwnerModel, Good: HigherIsBetter,
			Description: "Share of the error budget of an SLO's period that is left, of all deploys together: 100 % is untouched, 0 % spent, less is overspent. Labels that are not in yet have spent nothing. Where over a tenth of the period lies before anything was counted it is insufficient, and of what was seen.",
			Panel:       "What may still go wrong? Error budget left of each SLO's period",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(slo, ' ', window) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'budget' AND measure = 'left' AND verdict IN ('ok', 'breach') AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule:  "Its burn pages and tickets while there is something to save. Where more hangs on a spent budget, such as a freeze of deploys, a rule of your own over slo:period_error_budget_remaining:ratio says so.",
			Runbook: "exhaustion",
		},
	}
}

// trafficSignals are about the events that come in.
func trafficSignals() []Signal {
	return []Signal{
		{
			Name: SignalDrift, Unit: "short", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "Population stability index of each feature against the training set, over bins of equal mass in the training set.",
			Panel:       "Which input moved? PSI by feature against training",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', feature, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage)), ' ', window) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'drift' AND measure = 'psi' AND reference = 'training' AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule: "Drift explains a page and never is one: on its own it cries wolf. What is worth a ticket is drift_alarm's to say.", Runbook: "data-drift",
		},
		{
			Name: SignalVolume, Unit: "short", Owner: OwnerOnCall, Good: NeitherIsBetter,
			Description: "Delivered predictions by minute and deploy.",
			Panel:       "Is traffic normal? Predictions per minute",
			SQL: `SELECT time, concat(model, ' ', deploy_hash) AS metric, toFloat64(sum(count)) AS value
FROM series_minute
WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule: "An endpoint that falls silent is a freshness SLO's to page.",
		},
		{
			Name: SignalDataQuality, Unit: "percentunit", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "Shares of a feature's values that are null, missing, NaN, infinite, out of range, new or of another type, and of repeated deliveries. Every check, also those of means, quantiles, cardinality, constants and freshness, is in findings: see docs/data-quality.md.",
			Panel:       "Are the events sound? Shares of what should not come",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage)), ' ', measure, if(feature = '', '', ' '), feature) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'data_quality' AND (endsWith(measure, '_share') AND measure != 'constant_share' OR measure IN ('type_change', 'new_feature')) AND (findings.value > 0 OR measure = 'duplicate_share') AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule: "What is wrong with an event hurts as quality or volume, which have their own alerts; this says why.", Runbook: "data-quality",
		},
	}
}

// outcomeSignals are about what the model answers and whether that was right,
// and the tickets of all drift.
func outcomeSignals() []Signal {
	return []Signal{
		{
			Name: SignalPredictionDrift, Unit: "short", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "Distance of what the model answers (score, predicted class, predicted value) from each of the references configured, beyond its noise, in the unit of each measure: below 0 is less than noise.",
			Panel:       "Do the answers move? Prediction drift beyond noise",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage)), ' ', feature, ' ', measure, ' ', window, ' against ', reference) AS metric, argMax(findings.effect, at) AS value
FROM findings
WHERE signal = 'prediction_drift' AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.effect)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule:  "An answer may move because the world did; the SLO on its quality is what pages.",
			Runbook: "data-drift",
		},
		{
			Name: SignalLabelDrift, Unit: "short", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "Distance of the labels of the last week from those of the four weeks before, beyond its noise, among the labels that came within one delay. Reads outcomes, raw rows.",
			Panel:       "Does the truth move? Label drift beyond noise",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, ' ', feature, ' ', measure, ' ', reference) AS metric, argMax(findings.effect, at) AS value
FROM findings
WHERE signal = 'label_drift' AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.effect)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule:  "It is known as late as labels are, and raw rows never feed a page; the SLO on quality does.",
			Runbook: "data-drift",
		},
		{
			Name: SignalConceptDrift, Unit: "percentunit", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "conditional_tvd: share of predictions that would have had another label in the reference, among those with the same predicted class and score, beyond its noise. Where it rises, the model is wrong about the world, whatever its inputs look like. Reads outcomes, raw rows, so that it tells nobody by itself. estimate_gap, suspected concept drift: labels that are in, less what scores promised of the very same predictions, as a mean by window; 0 is as promised, and under 0 the model is right less often (of an error, over 0). Counted in score_cells. A breach that lasts is a ticket and never a page: a suspicion is no proof. promised_accuracy, of a regression promised_mae: what scores alone promised of all predictions of a window, by which the ledger of alarms judges such tickets.",
			Panel:       "Does the same answer still mean the same? Concept drift, beyond noise and suspected",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, ' ', measure, ' ', window, ' against ', reference) AS metric, argMax(findings.effect, at) AS value
FROM findings
WHERE signal = 'concept_drift' AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.effect)
GROUP BY time, metric
ORDER BY time, metric`,
			Rule: AlertConceptDrift, Runbook: "concept-drift",
		},
		{
			Name: SignalDriftAlarm, Unit: "short", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "Evidence of the detector on each stream over what opens a ticket, by closed blocks of a day: at 1 it does. Evidence restarts with each ticket, so that at most one false ticket a model and quarter is expected over all of its streams.",
			Panel:       "Is a drift worth a ticket? Evidence, 1 opens one",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, ' ', feature, ' ', measure, ' ', reference) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'drift_alarm' AND measure != 'tickets' AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule:  "An alert's identity is a model, a deploy and an SLO, and drift has neither of the last two: ask findings for the verdict breach of this signal, and hand it to whoever keeps your tickets.",
			Runbook: "data-drift",
		},
	}
}
