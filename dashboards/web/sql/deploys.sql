-- The last ten production deploys, each with the accuracy of its own predictions
-- until the next one, and of what served in the 24 hours before it. One that is told of
-- again while it serves, as by each replica that starts, is one.
WITH
  told AS (
    SELECT deploy_hash, version, by, note, ts, lagInFrame(deploy_hash) OVER (ORDER BY ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
    FROM deployments
    WHERE model = {model:String} AND stage = 'production' AND ts <= toDateTime({to:Int64})
  ),
  served AS (
    SELECT deploy_hash, version, by, note, ts AS since,
      leadInFrame(ts, 1, toDateTime64({to:Int64}, 3)) OVER (ORDER BY ts ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS until
    FROM told
    WHERE deploy_hash != former
    ORDER BY ts DESC
    LIMIT 10
  ),
  cells AS (
    SELECT deploy_hash, time, sum(labelled) AS labelled, sum(correct) AS correct
    FROM outcome_cells FINAL
    WHERE model = {model:String} AND stage = 'production' AND segment = '' AND time <= toDateTime({to:Int64})
      AND time >= (SELECT min(since) FROM served) - INTERVAL 24 HOUR
    GROUP BY deploy_hash, time
  )
SELECT s.deploy_hash AS deploy_hash, s.version AS version, s.by AS by, s.note AS note, s.since AS since, s.until AS until,
  sumIf(c.labelled, c.deploy_hash = s.deploy_hash AND c.time >= s.since AND c.time <= s.until) AS labelled,
  sumIf(c.correct, c.deploy_hash = s.deploy_hash AND c.time >= s.since AND c.time <= s.until) AS correct,
  sumIf(c.labelled, c.deploy_hash != s.deploy_hash AND c.time < s.since AND c.time >= s.since - INTERVAL 24 HOUR) AS labelled_before,
  sumIf(c.correct, c.deploy_hash != s.deploy_hash AND c.time < s.since AND c.time >= s.since - INTERVAL 24 HOUR) AS correct_before
FROM served AS s CROSS JOIN (SELECT deploy_hash, time, labelled, correct FROM cells UNION ALL SELECT '', toDateTime(0), 0, 0) AS c
GROUP BY deploy_hash, version, by, note, since, until
ORDER BY since DESC
