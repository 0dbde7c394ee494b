-- Which deploys answered in the last 24 hours, with what was told of each, and those that
-- were deployed and do not answer. A deploy serves if it answered in the last two hours in
-- which its model answered at all. It began when it was last deployed in place of another,
-- and is as old as the first that is known of it in its stage: one that came back is not
-- young. Without a deployment event that is the hour of its first answer within 400 days.
-- What answers users are production and canary; of shadows there is no share.
WITH
  answered AS (
    SELECT model, deploy_hash, stage, min(time) AS first, max(time) AS last,
      sumIf(count, time >= toStartOfHour($__toTime) - INTERVAL 23 HOUR) AS requests
    FROM series_hour
    WHERE series = 'requests' AND segment = '' AND stage != 'training' AND model IN ($model)
      AND time > $__toTime - INTERVAL 400 DAY AND time <= $__toTime
    GROUP BY model, deploy_hash, stage
  ),
  told AS (
    SELECT model, deploy_hash, stage, ts, version, by, commit, dataset_hash, feature_job,
      lagInFrame(deploy_hash) OVER (PARTITION BY model, stage ORDER BY ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
    FROM deployments
    WHERE stage != 'training' AND model IN ($model) AND ts <= $__toTime
  ),
  events AS (
    SELECT model, deploy_hash, stage, min(ts) AS first_told, maxIf(ts, told.deploy_hash != former) AS began,
      argMax(told.version, ts) AS version, argMax(told.by, ts) AS who, argMax(told.commit, ts) AS commit,
      argMax(told.dataset_hash, ts) AS dataset_hash, argMax(told.feature_job, ts) AS feature_job
    FROM told
    GROUP BY model, deploy_hash, stage
  ),
  newest AS (
    SELECT model, stage, argMax(events.deploy_hash, began) AS deployed, max(began) AS since
    FROM events
    GROUP BY model, stage
  ),
  known AS (
    SELECT model, deploy_hash, stage FROM answered WHERE requests > 0
    UNION DISTINCT
    SELECT model, deployed, stage FROM newest WHERE stage = 'production'
  ),
  whole AS (
    SELECT k.model AS model, k.deploy_hash AS deploy_hash, k.stage AS stage, a.requests AS requests, a.first AS first, a.last AS last,
      e.version AS version, e.who AS who, e.commit AS commit, e.dataset_hash AS dataset_hash, e.feature_job AS feature_job,
      e.first_told > toDateTime64(0, 3) AS is_told, e.first_told AS first_told, e.began AS began, n.deployed AS deployed, n.since AS since,
      max(a.last) OVER (PARTITION BY k.model, k.stage) AS latest,
      sumIf(a.requests, k.stage IN ('production', 'canary')) OVER (PARTITION BY k.model) AS all_requests
    FROM known AS k
    LEFT JOIN answered AS a ON a.model = k.model AND a.deploy_hash = k.deploy_hash AND a.stage = k.stage
    LEFT JOIN events AS e ON e.model = k.model AND e.deploy_hash = k.deploy_hash AND e.stage = k.stage
    LEFT JOIN newest AS n ON n.model = k.model AND n.stage = k.stage
  )
SELECT
  multiIf(requests = 0 AND since > $__toTime - INTERVAL 1 HOUR, 'was just deployed, and does not answer yet',
    requests = 0, 'was deployed, and does not answer',
    last < latest - INTERVAL 1 HOUR, 'answers no more',
    NOT is_told, 'serves, and no deployment event told of it',
    deployed != deploy_hash AND since < $__toTime - INTERVAL 2 HOUR, concat('serves, though ', deployed, ' was deployed after it'),
    'serves') AS says,
  model, stage, deploy_hash, version,
  if(is_told, began, toDateTime64(first, 3)) AS since,
  dateDiff('second', if(is_told AND (requests = 0 OR first_told < first + INTERVAL 1 HOUR), first_told, toDateTime64(first, 3)), toDateTime64($__toTime, 3)) AS age,
  if(stage IN ('production', 'canary') AND all_requests > 0, requests / all_requests, NULL) AS share,
  requests, who AS by, commit, dataset_hash, feature_job
FROM whole
ORDER BY multiIf(startsWith(says, 'was deployed'), 1, startsWith(says, 'serves, '), 2, says = 'answers no more', 4, 3), model, stage, share DESC, deploy_hash
LIMIT 200
