package plumbline

// ViewUnmatchedLabels lists the labels that belong to no prediction.
const ViewUnmatchedLabels ViewName = "unmatched_labels"

func unmatchedLabelsView() View {
	return View{
		Name: ViewUnmatchedLabels,
		Doc: "One row a label that became known in [since, until) and is not applied to any prediction, with its age in hours and the reason. " +
			"waiting: it is younger than a day, and its prediction may still come. other model: a prediction of its id belongs to another model, which other_model names; the producer keyed it wrongly. " +
			"no answer: only the request half of an exchange is stored. too late: its prediction is stored and older than the retention of raw rows, or not joined yet. unmatched: no prediction of that id is stored, because none was sent, raw rows were sampled, or it has expired. Reads raw rows.",
		Example: "SELECT reason, count(), max(age_hours)\nFROM unmatched_labels(model = 'iris', since = '2026-09-21 00:00:00', until = '2026-09-22 00:00:00')\nGROUP BY reason",
		SQL: `SELECT model, prediction_id, ts, known, label, label_value, _topic, _partition, _offset, dateDiff('hour', known, now64(3, 'UTC')) AS age_hours,
  multiIf(own > 0 AND answers = 0, 'no answer', own > 0, 'too late', other_model != '', 'other model', age_hours < 24, 'waiting', 'unmatched') AS reason, other_model
FROM (
  SELECT l.model AS model, l.prediction_id AS prediction_id, l.ts AS ts, l.known AS known, l.label AS label, l.label_value AS label_value, l._topic AS _topic, l._partition AS _partition, l._offset AS _offset,
    p.own AS own, p.answers AS answers, p.other_model AS other_model
  FROM (
    SELECT model, prediction_id, ts, known, label, label_value, _topic, _partition, _offset
    FROM labels
    WHERE model = {model:String} AND known >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND known < parseDateTime64BestEffort({until:String}, 3, 'UTC')
      AND prediction_id GLOBAL NOT IN (SELECT prediction_id FROM outcomes WHERE model = {model:String} AND known >= parseDateTime64BestEffort({since:String}, 3, 'UTC'))
  ) AS l
  LEFT JOIN (
    SELECT prediction_id, countIf(model = {model:String}) AS own, countIf(model = {model:String} AND half != 'request') AS answers, anyIf(toString(model), model != {model:String}) AS other_model
    FROM predictions
    WHERE stage != 'training' AND prediction_id GLOBAL IN (
      SELECT prediction_id FROM labels
      WHERE model = {model:String} AND known >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND known < parseDateTime64BestEffort({until:String}, 3, 'UTC'))
    GROUP BY prediction_id
  ) AS p ON l.prediction_id = p.prediction_id
)`,
	}
}
