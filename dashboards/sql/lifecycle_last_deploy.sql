-- How long ago a production deploy last took the place of another. That one is told of again
-- while it serves is no deploy.
WITH
  told AS (
    SELECT model, deploy_hash, ts, lagInFrame(deploy_hash) OVER (PARTITION BY model ORDER BY ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
    FROM deployments
    WHERE stage = 'production' AND model IN ($model) AND ts <= $__toTime
  ),
  newest AS (
    SELECT model, argMax(told.deploy_hash, ts) AS deploy_hash, max(ts) AS since
    FROM told
    WHERE told.deploy_hash != former
    GROUP BY model
  )
SELECT concat(m.model, if(n.since > toDateTime64(0, 3), concat(' ', n.deploy_hash), '')) AS metric,
  if(n.since > toDateTime64(0, 3), toFloat64(dateDiff('second', n.since, toDateTime64($__toTime, 3))), NULL) AS value
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN newest AS n ON n.model = m.model
ORDER BY value DESC NULLS FIRST, metric
