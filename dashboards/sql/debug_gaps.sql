-- Share of the requests of an hour in which the chosen feature is null, is no finite
-- number, or is not there at all. Nulls are counted among the categories: a null has no
-- type. A model that never sends the feature has no line.
WITH
  carried AS (
    SELECT model, deploy_hash, stage, substring(series, 9) AS feature, time, sum(n) AS present, sum(null_n) AS empty, sum(odd_n) AS odd
    FROM (
      SELECT model, deploy_hash, stage, series, time, count + nulls + nans + infs AS n, nulls AS null_n, nans + infs AS odd_n
      FROM series_hour
      WHERE model IN ($model) AND series GLOBAL IN (SELECT concat('feature:', arrayJoin(CAST([$feature], 'Array(String)'))))
        AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) - INTERVAL 1 DAY AND time <= $__toTime
      UNION ALL
      SELECT model, deploy_hash, stage, series, time, count, if(kind = 1, count, 0), 0
      FROM categories_hour
      WHERE model IN ($model) AND series GLOBAL IN (SELECT concat('feature:', arrayJoin(CAST([$feature], 'Array(String)'))))
        AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) - INTERVAL 1 DAY AND time <= $__toTime
    )
    GROUP BY model, deploy_hash, stage, feature, time
  ),
  asked AS (
    SELECT model, deploy_hash, stage, time, sum(count) AS requests
    FROM series_hour
    WHERE series = 'requests' AND model IN ($model) AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage, time
    HAVING requests > 0
  )
SELECT time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage)), ' ', feature, tupleElement(part, 1)) AS metric, tupleElement(part, 2) AS value
FROM (
  SELECT a.time AS time, a.model AS model, a.deploy_hash AS deploy_hash, a.stage AS stage, k.feature AS feature, a.requests AS requests,
    c.present AS present, c.empty AS empty, c.odd AS odd
  FROM asked AS a
  INNER JOIN (SELECT DISTINCT model, feature FROM carried) AS k ON k.model = a.model
  LEFT JOIN carried AS c ON c.model = a.model AND c.deploy_hash = a.deploy_hash AND c.stage = a.stage AND c.time = a.time AND c.feature = k.feature
)
ARRAY JOIN [(' null', empty / requests), (' missing', greatest(toInt64(requests) - toInt64(present), 0) / requests), (' NaN or infinite', odd / requests)] AS part
ORDER BY time, metric
