package plumbline

// The signals that speak before labels do.
const (
	// SignalConfidence is how sure the model is of its answers.
	SignalConfidence SignalName = "confidence"
	// SignalDisagreement is how far the members of an ensemble are from one
	// answer.
	SignalDisagreement SignalName = "disagreement"
	// SignalExplanation is how many predictions carry an explanation.
	SignalExplanation SignalName = "explanation"
	// SignalKPI is how far business figures are from what is usual.
	SignalKPI SignalName = "kpi"
)

// Measures of the proxies.
const (
	// MeasureConfidence is the mean of max(p, 1-p), MeasureEntropy that of the
	// entropy of p in bits, MeasureLowConfidence the share of answers less sure
	// than analyze.proxies.low_confidence.
	MeasureConfidence    = "mean_confidence"
	MeasureEntropy       = "mean_entropy"
	MeasureLowConfidence = "low_confidence_share"
	// MeasureDisagreement is the mean disagreement of the ensemble.
	MeasureDisagreement = "mean_disagreement"
	// MeasureExplained is the share of predictions that carry an explanation.
	MeasureExplained = "explained_share"
	// MeasureKPI is the mean of the readings of a business figure, which the
	// column feature names.
	MeasureKPI = "mean_kpi"
)

// ReferencePastWeeks is the same hours of the weeks before.
const ReferencePastWeeks = "past-weeks"

// proxySignals are those that speak before labels do.
func proxySignals() []Signal {
	const noRule = "It is no quality: what hurts burns an SLO, which pages. A breach of it is in findings, at most one false one a model and quarter, for whoever keeps tickets."
	return []Signal{
		{
			Name: SignalConfidence, Unit: "none", Owner: OwnerModel, Good: NeitherIsBetter,
			Description: "How sure the model is of its answers, over closed windows: mean confidence, mean entropy in bits, share of answers that are hardly sure. Held against the same hours of the weeks before. Only of scores that are probabilities; that of the predicted one of many classes counts as unsure below 1/2.",
			Panel:       "Does the model doubt? Confidence by window",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', measure) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'confidence' AND segment = '' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule: noRule, Runbook: "proxies",
		},
		{
			Name: SignalDisagreement, Unit: "none", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "How far the members of an ensemble are from one answer, on average: of votes the share that differ from the most frequent class (Freeman 1965), of scores their variance (Lakshminarayanan et al. 2017), else as the producer sends it.",
			Panel:       "Do the members disagree? Mean disagreement of the ensemble",
			SQL: `SELECT time, concat(model, ' ', deploy_hash) AS metric, toFloat64(sum(sum_nano)) / 1e9 / sum(count) AS value
FROM series_hour
WHERE series = 'disagreement' AND segment = '' AND stage = 'production' AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime
GROUP BY time, metric HAVING sum(count) > 0
ORDER BY time, metric`,
			NoRule: noRule, Runbook: "proxies",
		},
		{
			Name: SignalExplanation, Unit: "percentunit", Owner: OwnerModel, Good: HigherIsBetter,
			Description: "Share of predictions that carry an explanation, of models that send any.",
			Panel:       "Are answers explained? Share with an explanation",
			SQL: `SELECT time, model AS metric, least(sum(yes) / sum(requests), 1) AS value
FROM (
  SELECT time, model, toFloat64(sum(sum_nano)) / 1e9 AS yes, 0 AS requests
  FROM series_hour WHERE series = 'explained' AND segment = '' AND stage = 'production' AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime GROUP BY time, model
  UNION ALL
  SELECT time, model, 0 AS yes, sum(count) AS requests
  FROM series_hour WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime
    AND model GLOBAL IN (SELECT model FROM series_hour WHERE series = 'explained' AND time >= $__fromTime AND time <= $__toTime) GROUP BY time, model
)
GROUP BY time, metric HAVING sum(requests) > 0
ORDER BY time, metric`,
			NoRule: noRule, Runbook: "proxies",
		},
		{
			Name: SignalKPI, Unit: "percentunit", Owner: OwnerModel, Good: NeitherIsBetter,
			Description: "How far each business figure is from the mean of the same hours of the weeks before, as a share of it, over closed windows. Whether that is more than weeks differ by is in findings: value, its 95 % interval, p. A figure that is usually sent and was not is missing.",
			Panel:       "Does the business notice? Business figures against past weeks",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', feature, if(segment = '', '', ' '), segment) AS metric, argMax(findings.effect / abs(findings.null_mean), at) AS value
FROM findings
WHERE signal = 'kpi' AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.effect / abs(findings.null_mean))
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule: noRule, Runbook: "proxies",
		},
	}
}
