-- The newest 50 predictions of the range that are wrong by what is known now; of a
-- regression those that are labelled. Counts say in which hours the newest ones are, and of
-- these in which minutes, so that outcomes are read of those alone, and features by the
-- very key of their table. Features of an exchange that was logged in halves stand at
-- another time.
WITH
  hours AS (
    SELECT model, time
    FROM (
      SELECT model, time, n, sum(n) OVER (PARTITION BY model ORDER BY time DESC) AS so_far
      FROM (
        SELECT model, time, sum(count) AS labels, (labels - sum(correct)) * sum(rows) / labels AS wrong, if(time = toStartOfHour($__toTime), 0, wrong) AS n
        FROM outcome_hours FINAL
        WHERE stage = 'production' AND segment = '' AND model IN ($model) AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
        GROUP BY model, time
        HAVING labels > 0 AND wrong > 0
      )
    )
    -- Of the hours in which the range begins and ends, wrong answers may lie out of it.
    WHERE so_far - n < 50 OR time = toStartOfHour($__fromTime)
  ),
  minutes AS (
    SELECT model, time
    FROM (
      SELECT model, time, n, sum(n) OVER (PARTITION BY model ORDER BY time DESC) AS so_far
      FROM (
        SELECT model, time, sum(labelled) AS labels, (labels - sum(correct)) * sum(rows) / labels AS n
        FROM outcome_cells FINAL
        WHERE stage = 'production' AND segment = '' AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime
          AND (model, toStartOfHour(time)) GLOBAL IN (SELECT model, time FROM hours)
        GROUP BY model, time
        HAVING labels > 0 AND n > 0
      )
    )
    WHERE so_far - n < 50
  ),
  answers AS (
    SELECT model, deploy_hash, prediction_id, ts, any(outcomes.score) AS score, any(outcomes.predicted) AS class, any(outcomes.predicted_value) AS number,
      argMax(outcomes.truth, (known, label_topic, label_partition, label_offset)) AS truth, argMax(tuple(outcomes.truth_value), (known, label_topic, label_partition, label_offset)).1 AS truth_number,
      max(known) AS known_since
    FROM outcomes FINAL
    WHERE model IN ($model) AND stage = 'production' AND ts >= $__fromTime AND ts < $__toTime + INTERVAL 1 MINUTE
      AND (model, toStartOfMinute(ts)) GLOBAL IN (SELECT model, time FROM minutes)
    GROUP BY model, deploy_hash, prediction_id, ts
    HAVING sum(labelled) > 0 AND sum(correct) <= 0
    ORDER BY ts DESC, prediction_id
    LIMIT 50
  )
SELECT a.ts AS at, toString(a.model) AS model, toString(a.deploy_hash) AS deploy, a.score AS score,
  if(a.class != '' OR a.number IS NULL, toString(a.class), toString(a.number)) AS predicted, if(a.truth != '' OR a.truth_number IS NULL, toString(a.truth), toString(a.truth_number)) AS label,
  a.number - a.truth_number AS error, r.features AS features, r.latency AS latency_ms, r.answer AS status, a.known_since AS labelled_at, a.prediction_id AS prediction_id
FROM answers AS a
LEFT JOIN (
  SELECT model, deploy_hash, prediction_id, ts, any(latency_ms) AS latency, toString(any(status)) AS answer,
    arrayStringConcat(arraySort(arrayConcat(
      arrayMap((k, v) -> concat(k, '=', toString(v)), mapKeys(any(numbers)), mapValues(any(numbers))),
      arrayMap((k, v) -> concat(k, '=', v), mapKeys(any(categories)), mapValues(any(categories))),
      arrayMap(k -> concat(k, '=null'), any(nulls)))), ', ') AS features
  FROM predictions
  WHERE model IN ($model) AND stage = 'production' AND half != 'request' AND ts >= $__fromTime AND ts < $__toTime + INTERVAL 1 MINUTE
    AND (model, ts, prediction_id) GLOBAL IN (SELECT model, ts, prediction_id FROM answers)
  GROUP BY model, deploy_hash, prediction_id, ts
) AS r ON r.model = a.model AND r.deploy_hash = a.deploy_hash AND r.prediction_id = a.prediction_id AND r.ts = a.ts
ORDER BY at DESC, prediction_id
LIMIT 50
