-- Accuracy by day and deploy of models that decide themselves which predictions ever get a
-- label: between all of the others wrong and all of them right.
WITH days AS (
  SELECT day, model, deploy_hash, sum(labelled) AS known, sum(correct) AS hits, greatest(sum(requests), known) AS asked
  FROM (
    SELECT greatest(toStartOfDay(time), toStartOfHour($__fromTime)) AS day, model, deploy_hash, outcome_hours.count AS labelled, correct, toInt64(0) AS requests
    FROM outcome_hours FINAL
    WHERE segment = '' AND stage = 'production' AND model IN ($model) AND has($partial, model)
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    UNION ALL
    SELECT greatest(toStartOfDay(time), toStartOfHour($__fromTime)) AS day, model, deploy_hash, 0, 0, toInt64(series_hour.count)
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model) AND has($partial, model)
      AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
  )
  GROUP BY day, model, deploy_hash
  HAVING known > 0
)
SELECT day AS time, concat(model, ' ', deploy_hash, tupleElement(bound, 1)) AS metric, tupleElement(bound, 2) AS value
FROM days
ARRAY JOIN [(', no less than', hits / asked), (', no more than', (hits + asked - known) / asked)] AS bound
ORDER BY time, metric
