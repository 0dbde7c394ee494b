-- Share of the predictions of a day whose label is in by now. A day without predictions has
-- no coverage.
WITH days AS (
  SELECT day, model, sum(labelled) AS known, sum(requests) AS asked
  FROM (
    SELECT greatest(toStartOfDay(time), toStartOfHour($__fromTime)) AS day, model, outcome_hours.count AS labelled, toInt64(0) AS requests
    FROM outcome_hours FINAL
    WHERE segment = '' AND stage = 'production' AND model IN ($model) AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    UNION ALL
    SELECT greatest(toStartOfDay(time), toStartOfHour($__fromTime)) AS day, model, 0, toInt64(series_hour.count)
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model) AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
  )
  GROUP BY day, model
)
SELECT day AS time, model AS metric, least(known / asked, 1) AS value
FROM days
WHERE asked > 0
ORDER BY time, metric
