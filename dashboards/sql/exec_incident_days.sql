-- Incidents by the day on which they reached their highest level.
SELECT greatest(toStartOfDay(began), $__fromTime) AS time, concat(model, ' ', severity, 's') AS metric, toFloat64(count()) AS value
FROM (
  SELECT model, severity, if(escalated > toDateTime64(0, 3, 'UTC'), escalated, opened) AS began
  FROM incidents FINAL
  WHERE model IN ($model) AND opened > $__fromTime - INTERVAL 90 DAY AND opened <= $__toTime
)
WHERE began >= $__fromTime AND began <= $__toTime
GROUP BY time, metric
ORDER BY time, metric
