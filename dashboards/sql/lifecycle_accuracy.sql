-- Accuracy by day of the prediction and deploy over the labels that are in, of days with 20
-- or more of them. Labels of a model that decides itself which predictions ever get one say
-- nothing of the others: it is left out here.
WITH days AS (
  SELECT greatest(toStartOfDay(time), toStartOfHour($__fromTime)) AS day, model, deploy_hash, sum(outcome_hours.count) AS labelled, sum(outcome_hours.correct) AS hits, sum(outcome_hours.rows) AS predictions
  FROM outcome_hours FINAL
  WHERE segment = '' AND stage = 'production' AND model IN ($model) AND NOT has($partial, model)
    AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
  GROUP BY day, model, deploy_hash
)
SELECT day AS time, concat(model, ' ', deploy_hash) AS metric, hits / labelled AS value
FROM days
WHERE predictions >= 20 AND labelled > 0
ORDER BY time, metric
