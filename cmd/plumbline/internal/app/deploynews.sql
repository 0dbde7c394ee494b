-- Deploys that became known since a moment, in the order in which they did.
SELECT model, deploy_hash, stage, ts, version, by, commit, dataset_hash, feature_job, note, known
FROM deployments
WHERE known >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')
ORDER BY known, model, deploy_hash
LIMIT 1000
