-- Share of the predictions of the last 24 hours, the one under way among them, whose
-- label is in. A model without predictions has no coverage; it does not have full
-- coverage.
WITH
  asked AS (
    SELECT model, sum(count) AS requests
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model)
      AND time >= toStartOfHour($__toTime) - INTERVAL 23 HOUR AND time <= $__toTime
    GROUP BY model
  ),
  known AS (
    SELECT model, sum(labelled) AS labelled
    FROM outcome_cells FINAL
    WHERE stage = 'production' AND segment = '' AND model IN ($model)
      AND time >= toStartOfHour($__toTime) - INTERVAL 23 HOUR AND time <= $__toTime
    GROUP BY model
  )
SELECT m.model AS metric, if(asked.requests > 0, least(known.labelled / asked.requests, 1), NULL) AS value
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN asked ON asked.model = m.model
LEFT JOIN known ON known.model = m.model
ORDER BY value ASC NULLS FIRST, metric
