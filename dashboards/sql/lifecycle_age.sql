-- How old the oldest deploy is that serves in production: since the first that is known of
-- it there, by a deployment event or by the hour of its first answer within 400 days. One
-- that came back is as old as it was. A model that did not answer in 24 hours has no age.
WITH
  answered AS (
    SELECT model, deploy_hash, min(time) AS first, max(time) AS last
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model IN ($model)
      AND time > $__toTime - INTERVAL 400 DAY AND time <= $__toTime
    GROUP BY model, deploy_hash
    HAVING sum(count) > 0
  ),
  serving AS (
    SELECT model, deploy_hash, first
    FROM (SELECT *, max(last) OVER (PARTITION BY model) AS latest FROM answered)
    WHERE last >= latest - INTERVAL 1 HOUR AND last >= toStartOfHour($__toTime) - INTERVAL 23 HOUR
  ),
  told AS (
    SELECT model, deploy_hash, min(ts) AS first
    FROM deployments
    WHERE stage = 'production' AND model IN ($model) AND ts <= $__toTime
    GROUP BY model, deploy_hash
  ),
  born AS (
    SELECT s.model AS model, s.deploy_hash AS deploy_hash,
      if(t.first > toDateTime64(0, 3) AND t.first < s.first + INTERVAL 1 HOUR, t.first, toDateTime64(s.first, 3)) AS at
    FROM serving AS s LEFT JOIN told AS t ON t.model = s.model AND t.deploy_hash = s.deploy_hash
  ),
  oldest AS (SELECT model, argMin(deploy_hash, at) AS deploy_hash, min(at) AS since FROM born GROUP BY model)
SELECT concat(m.model, if(o.since > toDateTime64(0, 3), concat(' ', o.deploy_hash), '')) AS metric,
  if(o.since > toDateTime64(0, 3), toFloat64(dateDiff('second', o.since, toDateTime64($__toTime, 3))), NULL) AS value
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN oldest AS o ON o.model = m.model
ORDER BY value DESC NULLS FIRST, metric
