-- What share of its users' requests each deploy of a model answered, by day. Shadows answer
-- nobody. The first and the last day of a range are those parts of it that are in it.
WITH days AS (
  SELECT greatest(toStartOfDay(time), toStartOfHour($__fromTime)) AS day, model, deploy_hash, stage, sum(count) AS requests
  FROM series_hour
  WHERE series = 'requests' AND segment = '' AND stage IN ('production', 'canary') AND model IN ($model)
    AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
  GROUP BY day, model, deploy_hash, stage
  HAVING requests > 0
)
SELECT day AS time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage))) AS metric,
  requests / sum(requests) OVER (PARTITION BY model, day) AS value
FROM days
ORDER BY time, metric
