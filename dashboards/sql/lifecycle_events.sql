-- Every deploy that was told of in the range, the newest first. An event that was sent twice
-- is one.
SELECT DISTINCT ts AS at, model, stage, deploy_hash, version, by, commit, dataset_hash, feature_job, note
FROM deployments
WHERE stage != 'training' AND model IN ($model) AND ts >= $__fromTime AND ts <= $__toTime
ORDER BY at DESC, model, stage, deploy_hash
LIMIT 200
