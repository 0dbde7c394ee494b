SELECT incident, model, deploy_hash, slo, name, severity, opened, resolved
FROM incidents FINAL
WHERE incident != {incident:String} AND opened <= {until:DateTime64(3, 'UTC')} AND (resolved >= {since:DateTime64(3, 'UTC')} OR resolved = toDateTime64(0, 3, 'UTC'))
  AND (dataset_hash != '' AND dataset_hash = {dataset:String} OR feature_job != '' AND feature_job = {job:String} OR model != '' AND model = {model:String})
ORDER BY opened, incident
LIMIT 50
