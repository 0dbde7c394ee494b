package plumbline

import "strings"

// The views of quality: predictions with the label that was known at a time, and
// what is counted from them.
const (
	ViewLabelled  ViewName = "labelled"
	ViewConfusion ViewName = "confusion"
	ViewQuality   ViewName = "quality"
	ViewFairness  ViewName = "fairness"
)

// LabelledSQL selects the labelled predictions of a model, one row each, with the
// label that won among those known before an instant. Its query parameters are
// texts: model, since, until and as_of.
//
// Of several labels of a prediction the greatest (label time, topic, partition,
// offset) wins. Outcomes have no label time, so that the labels of predictions
// that have several are looked up. Where those are erased, the one known last is
// taken.
func LabelledSQL() string { return labelledSQL }

const labelledSQL = `SELECT toString(o.model) AS model, toString(o.deploy_hash) AS deploy_hash, toString(o.stage) AS stage, o.prediction_id AS prediction_id, o.ts AS ts,
  argMax(tuple(toString(o.predicted), o.predicted_value, o.score, o.requests, o.segments), o.version) AS answer,
  argMax(tuple(toString(o.label), o.label_value), tuple(if(l.truth_time = 0, o.known_at, l.truth_time), toString(o.label_topic), o.label_partition, o.label_offset)) AS truth,
  answer.1 AS predicted, answer.2 AS predicted_value, answer.3 AS score, truth.1 AS label, truth.2 AS label_value,
  toUInt8(sum(o.correct) > 0) AS correct, answer.4 AS requests, answer.5 AS segments
FROM (
  SELECT model, deploy_hash, stage, prediction_id, ts, toUnixTimestamp64Milli(known) AS known_at, label_topic, label_partition, label_offset,
    predicted, predicted_value, score, label, label_value, labelled, correct, requests, segments, version
  FROM outcomes FINAL
  WHERE model = {model:String} AND ts >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND ts < parseDateTime64BestEffort({until:String}, 3, 'UTC')
    AND known < parseDateTime64BestEffort({as_of:String}, 3, 'UTC')
) AS o
LEFT JOIN (
  SELECT prediction_id, _topic, _partition, _offset, max(toUnixTimestamp64Milli(ts)) AS truth_time
  FROM labels
  WHERE model = {model:String} AND prediction_id GLOBAL IN (
    SELECT prediction_id FROM outcomes
    WHERE model = {model:String} AND ts >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND ts < parseDateTime64BestEffort({until:String}, 3, 'UTC')
      AND known < parseDateTime64BestEffort({as_of:String}, 3, 'UTC')
    GROUP BY prediction_id HAVING uniqExact(label_topic, label_partition, label_offset) > 1)
  GROUP BY prediction_id, _topic, _partition, _offset
) AS l ON o.prediction_id = l.prediction_id AND o.label_topic = l._topic AND o.label_partition = l._partition AND o.label_offset = l._offset
GROUP BY o.model, o.deploy_hash, o.stage, o.prediction_id, o.ts
HAVING sum(o.labelled) > 0`

// labelledColumns are what the views keep of LabelledSQL.
const labelledColumns = "model, deploy_hash, stage, prediction_id, ts, predicted, predicted_value, score, label, label_value, correct, requests, segments"

// slicedSQL is LabelledSQL for the parameters that the views share.
func slicedSQL() string {
	return "(SELECT " + labelledColumns + " FROM (" + labelledSQL + ")\n  WHERE stage = {stage:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND ({segment:String} = '' OR has(segments, {segment:String})))"
}

// onlyLabelled says what labels alone are worth where the model chose them.
const onlyLabelled = " Of a model with partial feedback, which decides itself what ever gets a label, this is what was labelled, and no estimate of all traffic."

func labelledView() View {
	return View{
		Name:    ViewLabelled,
		Doc:     "One row a labelled prediction of a model in a range of event time, with the label that won among those known before as_of: late, corrected, withdrawn and repeated labels are settled. requests is what it stands for where the producer samples. Reads raw rows: outcomes, and labels of predictions that have several." + onlyLabelled,
		Example: "SELECT prediction_id, ts, predicted, label, correct\nFROM labelled(model = 'iris', since = '2026-09-21 00:00:00', until = '2026-09-22 00:00:00', as_of = '2026-09-25 00:00:00')",
		SQL:     "SELECT " + labelledColumns + "\nFROM (" + labelledSQL + ")",
	}
}

const sliceExample = "stage = 'production', deploy = '', segment = '',\n  since = '2026-09-21 00:00:00', until = '2026-09-22 00:00:00', as_of = '2100-01-01 00:00:00'"

func confusionView() View {
	return View{
		Name: ViewConfusion,
		Doc:  "The confusion matrix of a model in a range of event time, one row a true and a predicted class, as known before as_of. count is in requests, rows in predictions. deploy and segment may be empty, which is all." + onlyLabelled,
		Example: `SELECT label, predicted, count
FROM confusion(model = 'iris', ` + sliceExample + ")",
		SQL: "SELECT label, predicted, sum(requests) AS count, count() AS rows\nFROM " + slicedSQL() + "\nGROUP BY label, predicted",
	}
}

func qualityView() View {
	return View{
		Name: ViewQuality,
		Doc: "One row a metric of a model in a range of event time, as known before as_of, with the formulas of docs/quality.md; positive is the positive class of a binary model, or empty. What a metric is not defined for is not a number. " +
			"needs_labels tells that there are fewer than 20 labels, or than 10 of a class that the metric counts on (of sampled traffic: in effective size), or that nothing is of the positive class, where `plumbline quality` says insufficient; it has the intervals, too. deploy and segment may be empty, which is all." + onlyLabelled,
		Example: `SELECT metric, value, labels
FROM quality(model = 'iris', positive = 'setosa', ` + sliceExample + ")\nWHERE NOT needs_labels",
		SQL: strings.Replace(qualitySQL, "/*labelled*/", slicedSQL(), 1),
	}
}

const qualitySQL = `WITH counted AS (
    SELECT toInt64(requests) AS w, label != '' OR predicted != '' AS class, positive_class != '' AND class AS binary, label = positive_class AS p, predicted = positive_class AS called,
      correct, score, isNotNull(score) AND score >= 0 AND score <= 1 AS scored, ifNull(score, 0) AS f,
      isNotNull(label_value) AND isNotNull(predicted_value) AND NOT class AS number, ifNull(label_value, 0) AS y, ifNull(predicted_value, 0) - y AS e
    FROM (SELECT *, {positive:String} AS positive_class FROM /*labelled*/)
  ),
  area AS (
    SELECT sum(cp * (n - seen_n - cn / 2)) / (any(all_p) * any(all_n)) AS roc, sum(if(cp = 0, 0, cp / all_p * (seen_p + cp) / (seen_p + cp + seen_n + cn))) AS pr
    FROM (
      SELECT cp, cn, sum(cp) OVER () AS all_p, sum(cn) OVER () AS all_n, all_n AS n,
        sum(cp) OVER (ORDER BY score DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - cp AS seen_p,
        sum(cn) OVER (ORDER BY score DESC ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) - cn AS seen_n
      FROM (SELECT score, toFloat64(sumIf(w, p)) AS cp, toFloat64(sumIf(w, NOT p)) AS cn FROM counted WHERE binary AND isNotNull(score) AND NOT isNaN(f) GROUP BY score)
    )
  ),
  sums AS (
    SELECT toFloat64(sum(w)) AS n, least(n / sum(w * w), 1) * (1 + 1e-12) AS thin, n * thin AS rows, toFloat64(sumIf(w, binary AND p AND called)) AS tp, toFloat64(sumIf(w, binary AND NOT p AND called)) AS fp, toFloat64(sumIf(w, binary AND p AND NOT called)) AS fn,
      toFloat64(sumIf(w, binary AND NOT p AND NOT called)) AS tn, (tp + fn) * thin AS positives, (tn + fp) * thin AS negatives, (tp + fp) * thin AS named,
      toFloat64(sumIf(w, binary AND scored)) AS scores, sumIf(w * -log(if(p, f, 1 - f)), binary AND scored) / scores AS log_loss, sumIf(w * pow(p - f, 2), binary AND scored) / scores AS brier,
      toFloat64(sum(correct * w)) / n AS accuracy,
      toFloat64(sumIf(w, number)) AS numbers, numbers * thin AS number_rows, sumIf(w * abs(e), number) / numbers AS mae, sqrt(sumIf(w * e * e, number) / numbers) AS rmse, sumIf(w * e, number) / numbers AS bias,
      sumIf(w * abs(e / y), number AND y != 0) / sumIf(w, number AND y != 0) AS mape,
      1 - sumIf(w * e * e, number) / (sumIf(w * y * y, number) - pow(sumIf(w * y, number), 2) / numbers) AS r2
    FROM counted
  )
SELECT line.1 AS metric, line.2 AS value, toUInt64(line.3) AS labels, isNaN(value) OR line.4 AS needs_labels
FROM sums CROSS JOIN area ARRAY JOIN [
  ('accuracy', accuracy, n, rows < 20),
  ('precision', tp / (tp + fp), tp + fp + fn + tn, rows < 20 OR named < 10),
  ('recall', tp / (tp + fn), tp + fp + fn + tn, rows < 20 OR positives < 10),
  ('specificity', tn / (tn + fp), tp + fp + fn + tn, rows < 20 OR negatives < 10 OR positives + named = 0),
  ('f1', 2 * tp / (2 * tp + fp + fn), tp + fp + fn + tn, rows < 20 OR positives < 10),
  ('mcc', (tp * tn - fp * fn) / (sqrt(tp + fp) * sqrt(tp + fn) * sqrt(tn + fp) * sqrt(tn + fn)), tp + fp + fn + tn, rows < 20 OR least(positives, negatives, named) < 10),
  ('roc_auc', area.roc, tp + fp + fn + tn, rows < 20 OR least(positives, negatives) < 10),
  ('pr_auc', if(positives = 0, nan, area.pr), tp + fp + fn + tn, rows < 20 OR least(positives, negatives) < 10),
  ('log_loss', log_loss, scores, rows < 20 OR least(positives, negatives) < 10),
  ('brier', brier, scores, rows < 20 OR least(positives, negatives) < 10),
  ('mae', mae, numbers, number_rows < 20),
  ('rmse', rmse, numbers, number_rows < 20),
  ('mape', mape, numbers, number_rows < 20),
  ('bias', bias, numbers, number_rows < 20),
  ('r2', r2, numbers, number_rows < 20)
] AS line`

func fairnessView() View {
	return View{
		Name: ViewFairness,
		Doc: "One row a value of a declared segment: the shares that criteria of fairness compare, from labelled predictions as known before as_of: selected (called positive), true_positive (equal opportunity), false_positive, and predictive (called positive and true). " +
			"_n columns count predictions behind each; under 20 of them say nothing. Demographic parity over all predictions, differences, ratios and their intervals are `plumbline quality --fairness`'s." + onlyLabelled,
		Example: `SELECT segment, true_positive, positives_n
FROM fairness(model = 'iris', positive = 'setosa', key = 'region', ` + sliceExample + ")",
		SQL: `SELECT segment, sumIf(w, called) / sum(w) AS selected, count() AS labelled_n,
  sumIf(w, called AND p) / sumIf(w, p) AS true_positive, countIf(p) AS positives_n,
  sumIf(w, called AND NOT p) / sumIf(w, NOT p) AS false_positive, countIf(NOT p) AS negatives_n,
  sumIf(w, called AND p) / sumIf(w, called) AS predictive, countIf(called) AS called_n
FROM (
  SELECT toString(arrayJoin(arrayFilter(s -> startsWith(s, concat({key:String}, '=')) AND position(s, ',') = 0, segments))) AS segment,
    requests AS w, label = {positive:String} AS p, predicted = {positive:String} AS called
  FROM ` + slicedSQL() + `
)
GROUP BY segment`,
	}
}
