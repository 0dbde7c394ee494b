-- Predictions per minute over the last five whole minutes. A silent endpoint
-- shows as missing: the rollup cannot tell no traffic from no log. The quietest stand
-- first: a panel shows few.
WITH recent AS (
  SELECT model, sum(count) / 5 AS per_minute
  FROM series_minute
  WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model)
    AND time >= toStartOfMinute($__toTime) - INTERVAL 5 MINUTE AND time < toStartOfMinute($__toTime)
  GROUP BY model
)
SELECT m.model AS metric, if(recent.per_minute > 0, recent.per_minute, NULL) AS value
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN recent ON recent.model = m.model
ORDER BY value ASC NULLS FIRST, metric
