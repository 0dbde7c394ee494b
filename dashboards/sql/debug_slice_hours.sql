-- Accuracy by hour of all traffic and of the eight declared segments that fell most against
-- the day before the range, of those with labels enough to say so. A regression has no
-- classes, and labels that a model chose say nothing of what it did not choose.
WITH
  hours AS (
    SELECT model, segment, time, sum(count) AS labels, sum(correct) AS hits
    FROM outcome_hours FINAL
    WHERE stage = 'production' AND model IN ($model) AND NOT has($partial, model) AND (label != '' OR bitAnd(other, 2) > 0)
      AND time >= toStartOfHour($__fromTime) - INTERVAL 1 DAY AND time <= $__toTime
    GROUP BY model, segment, time
    HAVING labels > 0
  ),
  fallen AS (
    SELECT model, segment,
      sumIf(hits, time < toStartOfHour($__fromTime)) / sumIf(labels, time < toStartOfHour($__fromTime))
        - sumIf(hits, time >= toStartOfHour($__fromTime)) / sumIf(labels, time >= toStartOfHour($__fromTime)) AS fall
    FROM hours
    GROUP BY model, segment
    HAVING segment = '' OR sumIf(labels, time < toStartOfHour($__fromTime)) >= 20 AND sumIf(labels, time >= toStartOfHour($__fromTime)) >= 20
    ORDER BY segment = '' DESC, fall DESC, segment
    LIMIT 9 BY model
  )
SELECT time, concat(model, ' ', if(segment = '', 'all traffic', segment)) AS metric, hits / labels AS value
FROM hours
WHERE time >= toStartOfHour($__fromTime) AND (model, segment) GLOBAL IN (SELECT model, segment FROM fallen)
ORDER BY time, metric
