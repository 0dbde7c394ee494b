package plumbline

// Signals of labels that come late, and of quality before they are in.
const (
	// SignalMaturity says how much of what a window's labels will ever say is in.
	SignalMaturity SignalName = "maturity"
	// SignalLabelArrival says whether labels arrive as the delay curve expects.
	SignalLabelArrival SignalName = "label_arrival"
	// SignalEstimatedQuality is quality before the labels are in.
	SignalEstimatedQuality SignalName = "estimated_quality"
)

// Measures of these signals.
const (
	// MeasureLabelsIn is labels in / labels ever expected of a window,
	// MeasureLabelsEver the share of predictions that ever get a label, and
	// MeasureMatureIn the seconds from now until 90 % of a window's labels are in.
	MeasureLabelsIn   = "labels_in"
	MeasureLabelsEver = "labels_ever"
	MeasureMatureIn   = "mature_in_seconds"
	// MeasureArrivedShare is labels that came / labels that should have come in a
	// window of wall clock, MeasureLabelsArrived and MeasureLabelsExpected the two
	// counts: good and total of an SLI on label arrival.
	MeasureArrivedShare   = "arrived_share"
	MeasureLabelsArrived  = "labels_arrived"
	MeasureLabelsExpected = "labels_expected"
	// MeasureBlind is 1 while labels do not arrive, so that nothing is known of
	// the quality of newer predictions, and 0 while they do.
	MeasureBlind = "blind"
	// MeasureEstimateGap is how far the labels that are in are from what was
	// expected of the same predictions: suspected concept drift.
	MeasureEstimateGap = "estimate_gap"
	// MeasurePromisedAccuracy and MeasurePromisedMAE are what scores alone promise of
	// all predictions of a window, without any label, with the interval in which their
	// labels will put it if scores mean what they meant. A ticket of suspected concept
	// drift is judged by them.
	MeasurePromisedAccuracy = "promised_accuracy"
	MeasurePromisedMAE      = "promised_mae"
	// MeasureIntervalRecord is the share of past intervals of the estimate, as
	// they were known then, that held.
	MeasureIntervalRecord = "interval_record"
)

// MetricLabelsBlind is MeasureBlind as rules see it, by model.
const MetricLabelsBlind = "model:labels:blind"

// AlertLabelsSilent fires for a model whose labels stay away: once, as that.
const AlertLabelsSilent = "LabelsSilent"

// What rules see of suspected concept drift, by model and deploy.
const (
	// MetricEstimateContradicted is 1 while labels contradict the estimate of the
	// shortest window that has enough of them to tell, and 0 while they do not.
	MetricEstimateContradicted = "model:estimate:contradicted"
	// MetricEstimateGap is MeasureEstimateGap of that window, which is a label.
	MetricEstimateGap = "model:estimate:gap"
)

// AlertConceptDrift is the ticket of a deploy whose labels contradict its estimate.
const AlertConceptDrift = "ConceptDriftSuspected"

// ReferenceEstimate is what the calibrated scores promised of the same
// predictions.
const ReferenceEstimate = "estimate"

// delaySignals are about labels that are late, and what is said meanwhile.
func delaySignals() []Signal {
	return []Signal{
		{
			Name: SignalLabelArrival, Unit: "percentunit", Owner: OwnerOnCall, Good: HigherIsBetter,
			Description: "Labels that came in a window of wall clock, of those that should have come by the delays of the four weeks before. A dead label pipeline is this, and never a burn: quality is blind meanwhile.",
			Panel:       "Do labels arrive? Share of the expected labels that came",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', window) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'label_arrival' AND measure = 'arrived_share' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			Rule: AlertLabelsSilent, Runbook: "label-delay",
		},
		{
			Name: SignalMaturity, Unit: "percentunit", Owner: OwnerModel, Good: HigherIsBetter,
			Description: "Labels that are in, of all that a window's predictions will ever get by the delay curves of their strata.",
			Panel:       "How much of the truth is in? Maturity by window",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, ' ', window) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'maturity' AND measure = 'labels_in' AND feature = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule:  "Labels that are late as always are no incident; those that stay away are label_arrival's.",
			Runbook: "label-delay",
		},
		{
			Name: SignalEstimatedQuality, Unit: "percentunit", Owner: OwnerModel, Good: HigherIsBetter,
			Description: "Quality of a window's predictions before their labels are in: labels that are in as they are, the others as calibrated scores expect them, corrected within strata of the delay. The verdict is ok only once 10 matured windows, as known then, held as promised; until then lines are called unproven. Errors of a regression are in the unit of its target and have a panel of their own.",
			Panel:       "Is the model right now? Quality estimated before the labels",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, ' ', measure, ' ', window, if(verdict = 'ok', '', ', unproven')) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'estimated_quality' AND measure IN (` + ShareMeasuresSQL + `) AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule:  "An SLO of the kind quality pages on it, by its nowcast, and only where its record proves it; by itself it is a number to look at.",
			Runbook: "concept-drift",
		},
	}
}
