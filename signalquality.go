package plumbline

// SignalFairness is about the gaps between protected segments.
const SignalFairness SignalName = "fairness"

// fairnessSignals are about how a model treats groups that its owner protects.
func fairnessSignals() []Signal {
	return []Signal{
		{
			Name: SignalFairness, Unit: "percentunit", Owner: OwnerModel, Good: LowerIsBetter,
			Description: "Largest distance, over the values of each protected segment, of a share from that of the reference value, by criterion: who is called positive (demographic_parity), who is found of those who are (equal_opportunity), who is called of those who are not (false_positive_parity), the larger of these two (equalised_odds), and who is right to be called (predictive_parity). findings has the difference and the ratio of every group with its interval. Counted in the hours of outcome_hours.",
			Panel:       "Are groups treated alike? Largest gap by criterion",
			SQL: `SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, ' ', feature, ' ', measure) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'fairness' AND segment = '' AND endsWith(measure, '_gap') AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
GROUP BY time, metric
ORDER BY time, metric`,
			NoRule: "How large a gap may be is its owner's to say: an SLO of the kind fairness alerts on it.",
		},
	}
}

// ShareMeasuresSQL are the metrics of quality that are shares, which panels draw in
// percent, as SQL lists them. Errors, losses, correlations, values of a matrix and
// metrics of a model's own are not: each is in a unit of its own.
const ShareMeasuresSQL = "'accuracy', 'precision', 'recall', 'specificity', 'f1', 'roc_auc', 'pr_auc', 'ece', " +
	"'macro_precision', 'macro_recall', 'macro_f1', 'top_k', 'macro_roc_auc', 'weighted_roc_auc', 'macro_pr_auc', 'weighted_pr_auc', 'macro_ece', " +
	"'mape', 'ndcg', 'map', 'mrr', 'hit_rate'"
