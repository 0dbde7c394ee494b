-- Share of the predictions of each day whose label is in.
SELECT time, concat(model, ' share with a label') AS metric, least(sum(labelled) / sum(requests), 1) AS value
FROM (
  SELECT greatest(toStartOfDay(o.time), $__fromTime) AS time, o.model AS model, o.count AS labelled, toInt64(0) AS requests
  FROM outcome_hours AS o FINAL
  WHERE o.stage = 'production' AND o.segment = '' AND o.model IN ($model) AND o.time >= $__fromTime AND o.time <= $__toTime
  UNION ALL
  SELECT greatest(toStartOfDay(s.time), $__fromTime), s.model, 0, toInt64(s.count)
  FROM series_hour AS s
  WHERE s.series = 'requests' AND s.segment = '' AND s.stage = 'production' AND s.model IN ($model) AND s.time >= $__fromTime AND s.time <= $__toTime
)
GROUP BY time, metric
HAVING sum(requests) > 0
ORDER BY time, metric
