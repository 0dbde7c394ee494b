-- Every pod of a deploy may tell of it: what the event before said of the model and
-- stage is no news.
SELECT ts AS time,
  concat('Deploy ', deploy_hash, if(version = '', '', concat(' (', version, ')')), ' of ', model,
    if(by = '', '', concat(' by ', by)), if(note = '', '', concat(': ', note))) AS text,
  concat('deploy,', stage) AS tags
FROM (
  SELECT *, (deploy_hash, version, commit, dataset_hash, feature_job, note) AS said,
    lagInFrame(said) OVER (PARTITION BY model, stage ORDER BY ts, known, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
  FROM deployments
  WHERE model IN ($model) AND ts >= $__fromTime - INTERVAL 90 DAY AND ts <= $__toTime AND stage != 'training'
)
WHERE said != former AND ts >= $__fromTime
ORDER BY time
