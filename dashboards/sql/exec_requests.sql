-- Predictions of each whole day: one of which hours are yet to come would look like a
-- fall.
SELECT toStartOfDay(s.time) AS time, toString(s.model) AS metric, toFloat64(sum(s.count)) AS value
FROM series_hour AS s
WHERE s.series = 'requests' AND s.segment = '' AND s.stage = 'production' AND s.model IN ($model)
  AND s.time >= toStartOfDay(toTimeZone($__fromTime, 'UTC') + INTERVAL 86399 SECOND) AND s.time < toStartOfDay(toTimeZone($__toTime, 'UTC'))
GROUP BY time, metric
ORDER BY time, metric
