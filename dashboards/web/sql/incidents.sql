-- The last thing that was told about each incident of the last 30 days; it is
-- open unless that was its resolution. What has no model is about the service.
SELECT model, deploy_hash, slo, argMax(kind, at) AS last_kind, argMax(text, at) AS last_text,
  if(countIf(kind = 'alert_opened') > 0, maxIf(at, kind = 'alert_opened'), min(at)) AS since
FROM notices
WHERE kind IN ('alert_opened', 'alert_notified', 'alert_resolved') AND model != '' AND ({model:String} = '' OR model = {model:String})
  AND at > toDateTime({to:Int64}) - INTERVAL 30 DAY AND at <= toDateTime({to:Int64})
GROUP BY model, deploy_hash, slo
HAVING last_kind != 'alert_resolved'
ORDER BY since DESC
