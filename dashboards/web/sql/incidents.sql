-- The incidents that are open, and what was told of each since it opened. What
-- has no model is about the service.
SELECT i.model AS model, i.deploy_hash AS deploy_hash, i.slo AS slo, i.name AS name, i.severity AS severity,
  i.acknowledged_by AS acknowledged_by, i.opened AS since,
  countIf(n.kind IN ('alert_opened', 'alert_notified') AND n.at >= i.opened) AS told,
  argMaxIf(n.text, n.at, n.kind IN ('alert_opened', 'alert_notified') AND n.at >= i.opened) AS last_text
FROM (
  SELECT model, deploy_hash, slo, name, severity, acknowledged_by, opened
  FROM incidents FINAL
  WHERE model != '' AND ({model:String} = '' OR model = {model:String}) AND resolved = toDateTime64(0, 3, 'UTC')
    AND opened > toDateTime({to:Int64}) - INTERVAL 90 DAY AND opened <= toDateTime({to:Int64})
) AS i
LEFT JOIN (
  SELECT model, deploy_hash, slo, kind, at, text
  FROM notices
  WHERE startsWith(kind, 'alert_') AND model != '' AND ({model:String} = '' OR model = {model:String})
    AND at > toDateTime({to:Int64}) - INTERVAL 90 DAY AND at <= toDateTime({to:Int64})
) AS n ON n.model = i.model AND n.deploy_hash = i.deploy_hash AND n.slo = i.slo
GROUP BY model, deploy_hash, slo, name, severity, acknowledged_by, since
ORDER BY since DESC
