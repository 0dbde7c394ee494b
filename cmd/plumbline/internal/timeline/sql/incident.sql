SELECT incident, key, model, deploy_hash, slo, name, object, owner, severity, dataset_hash, feature_job,
  opened, escalated, acknowledged, acknowledged_by, resolved, history
FROM incidents FINAL
WHERE incident = {incident:String} OR key = {incident:String} OR {incident:String} = ''
ORDER BY opened DESC, incident
LIMIT {limit:UInt64}
