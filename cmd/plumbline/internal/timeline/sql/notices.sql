SELECT at, kind, deploy_hash, object, text
FROM notices
WHERE model IN ({model:String}, '') AND at >= {since:DateTime64(3, 'UTC')} AND at <= {until:DateTime64(3, 'UTC')}
  AND NOT startsWith(kind, 'alert_')
ORDER BY at, kind, object
LIMIT 200
