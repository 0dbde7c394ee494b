-- What was told and noticed about the model within 7 days, newest first.
SELECT at, kind, deploy_hash, slo, object, text
FROM notices
WHERE (model = {model:String} OR model = '') AND at > toDateTime({to:Int64}) - INTERVAL 7 DAY AND at <= toDateTime({to:Int64})
ORDER BY at DESC
LIMIT 30
