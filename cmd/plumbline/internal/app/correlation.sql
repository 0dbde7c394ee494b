SELECT model, deploy_hash, argMax(dataset_hash, ts) AS dataset, argMax(feature_job, ts) AS job
FROM deployments
WHERE ts > now() - INTERVAL 90 DAY AND (dataset_hash != '' OR feature_job != '')
GROUP BY model, deploy_hash
