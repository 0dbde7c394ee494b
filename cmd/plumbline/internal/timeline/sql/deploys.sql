SELECT ts, deploy_hash, stage, version, by, commit, dataset_hash, feature_job, note
FROM deployments
WHERE model = {model:String} AND ts >= {since:DateTime64(3, 'UTC')} AND ts <= {until:DateTime64(3, 'UTC')}
ORDER BY ts, deploy_hash
LIMIT 1 BY ts, deploy_hash, stage
