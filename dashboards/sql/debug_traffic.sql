-- Share of a model's answers by deploy. Shadows are no part of what users get.
SELECT time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage))) AS metric, n / total AS value
FROM (
  SELECT toStartOfFiveMinutes(time) AS time, model, deploy_hash, stage, sum(count) AS n, sum(sum(count)) OVER (PARTITION BY model, time) AS total
  FROM series_minute
  WHERE series = 'requests' AND segment = '' AND stage NOT IN ('training', 'shadow') AND model IN ($model) AND time >= $__fromTime AND time <= $__toTime
  GROUP BY time, model, deploy_hash, stage
)
WHERE total > 0
ORDER BY time, metric
