-- What the service did and noticed: pages sent, partitions parked.
SELECT at, kind, model, deploy_hash, text
FROM notices
WHERE (model IN ($model) OR model = '') AND at >= $__fromTime AND at <= $__toTime
ORDER BY at DESC
LIMIT 50
