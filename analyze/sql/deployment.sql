-- The last thing that was said about a deploy.
SELECT ts, stage, version, by, commit, dataset_hash, feature_job, note
FROM deployments
WHERE model = {model:String} AND deploy_hash = {deploy:String} AND ts <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
ORDER BY ts DESC
LIMIT 1
