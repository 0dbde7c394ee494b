SELECT model, deploy_hash, stage, min(ts) AS began, any(note) AS note
FROM deployments
WHERE stage IN ('canary', 'shadow') AND ts > now() - toIntervalSecond({seconds:UInt64})
GROUP BY model, deploy_hash, stage
ORDER BY began, model, deploy_hash, stage
