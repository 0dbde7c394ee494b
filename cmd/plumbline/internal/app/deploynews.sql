-- Deploys that became known since a moment, in the order in which they did. What the
-- event before said of the model and stage, as each replica that starts does, is no news.
SELECT model, deploy_hash, stage, ts, version, by, commit, dataset_hash, feature_job, note, known
FROM (
  SELECT *, (deploy_hash, version, commit, dataset_hash, feature_job, note) AS said,
    lagInFrame(said) OVER (PARTITION BY model, stage ORDER BY known, ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
  FROM deployments
  WHERE known >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') - INTERVAL 90 DAY
)
WHERE known >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND said != former
ORDER BY known, model, deploy_hash
LIMIT 1000
