-- What the event before said of the stage, as each replica that starts does, is no news.
SELECT ts, deploy_hash, stage, version, by, commit, dataset_hash, feature_job, note
FROM (
  SELECT *, (deploy_hash, version, commit, dataset_hash, feature_job, note) AS said,
    lagInFrame(said) OVER (PARTITION BY stage ORDER BY ts, known, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
  FROM deployments
  WHERE model = {model:String} AND ts >= {since:DateTime64(3, 'UTC')} - INTERVAL 90 DAY AND ts <= {until:DateTime64(3, 'UTC')}
)
WHERE ts >= {since:DateTime64(3, 'UTC')} AND said != former
ORDER BY ts, deploy_hash
