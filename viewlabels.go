package plumbline

// Views of labels that are stored and count nowhere.
const (
	// ViewUnmatchedLabels lists the labels that belong to no prediction.
	ViewUnmatchedLabels ViewName = "unmatched_labels"
	// ViewUnjoinedLabels counts those that the join has not come to.
	ViewUnjoinedLabels ViewName = "unjoined_labels"
)

// joinedBeforeSQL is the first offset of each topic partition that the join has not
// followed; of one that it does not know there is no row, and 0 after a LEFT JOIN.
const joinedBeforeSQL = "SELECT topic, epoch, partition, max(done) + 1 AS joined_before FROM join_cursor GROUP BY topic, epoch, partition"

func unjoinedLabelsView() View {
	return View{
		Name: ViewUnjoinedLabels,
		Doc: "One row a topic partition with labels that are stored and that the join has not come to: how many, in stored batches beyond its cursor, the offset before which everything is joined, and when the oldest of them became known. " +
			"A row that stays with the same joined_before is a join that stands still. Reads what batches has of all labels there ever were.",
		Example: "SELECT sum(labels) AS labels, min(oldest) AS oldest\nFROM unjoined_labels",
		SQL: `SELECT topic, epoch, partition, joined_before, sum(found) AS labels, min(since) AS oldest
FROM (
  SELECT b.topic AS topic, b.epoch AS epoch, b.partition AS partition, c.joined_before AS joined_before, max(b.rows) AS found, min(b.known_min) AS since
  FROM (SELECT topic, epoch, partition, first, last, rows, known_min FROM batches WHERE table = 'labels' AND rows > 0) AS b
  LEFT JOIN (` + joinedBeforeSQL + `) AS c ON b.topic = c.topic AND b.epoch = c.epoch AND b.partition = c.partition
  WHERE b.last >= c.joined_before
  GROUP BY topic, epoch, partition, joined_before, b.first, b.last
)
GROUP BY topic, epoch, partition, joined_before`,
	}
}

func unmatchedLabelsView() View {
	return View{
		Name: ViewUnmatchedLabels,
		Doc: "One row a label that became known in [since, until) and is not applied to any prediction, with its age in hours and the reason. " +
			"waiting: it is younger than a day, and its prediction may still come. other model: a prediction of its id belongs to another model, which other_model names; the producer keyed it wrongly. " +
			"no answer: only the request half of an exchange is stored. not joined: its prediction is stored, and the join has not come to the one or the other; it does by itself, or unjoined_labels says that it stands still. too late: the join has come to both, and the prediction was older than the retention of raw rows. unmatched: no prediction of that id is stored, because none was sent, raw rows were sampled, or it has expired. Reads raw rows.",
		Example: "SELECT reason, count(), max(age_hours)\nFROM unmatched_labels(model = 'iris', since = '2026-09-21 00:00:00', until = '2026-09-22 00:00:00')\nGROUP BY reason",
		SQL: `SELECT model, prediction_id, ts, known, label, label_value, _topic, _partition, _offset, dateDiff('hour', known, now64(3, 'UTC')) AS age_hours,
  multiIf(own > 0 AND answers = 0, 'no answer', own > 0 AND (answers_joined = 0 OR _offset >= joined_before), 'not joined', own > 0, 'too late', other_model != '', 'other model', age_hours < 24, 'waiting', 'unmatched') AS reason, other_model
FROM (
  SELECT l.model AS model, l.prediction_id AS prediction_id, l.ts AS ts, l.known AS known, l.label AS label, l.label_value AS label_value, l._topic AS _topic, l._partition AS _partition, l._offset AS _offset,
    p.own AS own, p.answers AS answers, p.answers_joined AS answers_joined, p.other_model AS other_model, c.joined_before AS joined_before
  FROM (
    SELECT model, prediction_id, ts, known, label, label_value, _topic, _epoch, _partition, _offset
    FROM labels
    WHERE model = {model:String} AND known >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND known < parseDateTime64BestEffort({until:String}, 3, 'UTC')
      AND prediction_id GLOBAL NOT IN (SELECT prediction_id FROM outcomes WHERE model = {model:String} AND known >= parseDateTime64BestEffort({since:String}, 3, 'UTC'))
  ) AS l
  LEFT JOIN (
    SELECT prediction_id, countIf(model = {model:String}) AS own, countIf(model = {model:String} AND half != 'request') AS answers,
      countIf(model = {model:String} AND half != 'request' AND _offset < pc.joined_before) AS answers_joined, anyIf(toString(model), model != {model:String}) AS other_model
    FROM predictions
    LEFT JOIN (` + joinedBeforeSQL + `) AS pc ON predictions._topic = pc.topic AND predictions._epoch = pc.epoch AND predictions._partition = pc.partition
    WHERE stage != 'training' AND prediction_id GLOBAL IN (
      SELECT prediction_id FROM labels
      WHERE model = {model:String} AND known >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND known < parseDateTime64BestEffort({until:String}, 3, 'UTC'))
    GROUP BY prediction_id
  ) AS p ON l.prediction_id = p.prediction_id
  LEFT JOIN (` + joinedBeforeSQL + `) AS c ON l._topic = c.topic AND l._epoch = c.epoch AND l._partition = c.partition
)`,
	}
}
