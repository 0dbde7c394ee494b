-- Labels by the hour in which they became known: those that came, withdrawals among them,
-- and the predictions that have had a label since. What came and did not count says
-- nothing new of its prediction, waits for it, or belongs to none. A label of a prediction
-- older than raw rows are kept is not joined, so the outcomes of 90 days are enough.
SELECT time, concat(model, tupleElement(part, 1)) AS metric, toFloat64(tupleElement(part, 2)) AS value
FROM (
  SELECT time, model, sum(came) AS came, sum(gained) AS gained
  FROM (
    SELECT toStartOfHour(known) AS time, model, toInt64(count()) AS came, toInt64(0) AS gained
    FROM labels
    WHERE model IN ($model) AND known >= toStartOfHour($__fromTime) AND known <= $__toTime
    GROUP BY time, model
    UNION ALL
    SELECT known AS time, model, 0, sum(rows)
    FROM outcome_hours FINAL
    WHERE model IN ($model) AND segment = '' AND stage != 'training' AND known >= toStartOfHour($__fromTime) AND known <= $__toTime
      AND time >= toStartOfHour($__fromTime) - INTERVAL 90 DAY AND time <= $__toTime
    GROUP BY known, model
  )
  GROUP BY time, model
)
ARRAY JOIN [(' came', came), (' counted', gained)] AS part
ORDER BY time, metric
