-- Accuracy by hour of models that decide themselves which predictions ever get a
-- label, with its deploy: between all of the others wrong and all of them right.
-- Labels alone say nothing of the others, so there is no line between the two.
SELECT time, concat(model, ' ', deploy_hash, tupleElement(bound, 1)) AS metric, tupleElement(bound, 2) AS value
FROM (
  SELECT time, model, deploy_hash, sum(labelled) AS known, sum(correct) AS hits, greatest(sum(requests), known) AS asked
  FROM (
    SELECT toStartOfHour(time) AS time, model, deploy_hash, labelled, correct, toInt64(0) AS requests
    FROM outcome_cells FINAL
    WHERE stage = 'production' AND segment = '' AND model IN ($model) AND has($partial, model) AND time >= $__fromTime AND time <= $__toTime
    UNION ALL
    SELECT toStartOfHour(time) AS time, model, deploy_hash, 0, 0, toInt64(count)
    FROM series_minute
    WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model) AND has($partial, model) AND time >= $__fromTime AND time <= $__toTime
  )
  GROUP BY time, model, deploy_hash
  HAVING known > 0
)
ARRAY JOIN [(' at least', hits / asked), (' at most', (hits + asked - known) / asked)] AS bound
ORDER BY time, metric
