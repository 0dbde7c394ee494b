-- What the pipe reported in the range: it knows no models.
SELECT at, kind, object, text
FROM notices
WHERE model = '' AND NOT startsWith(kind, 'alert_') AND at >= $__fromTime AND at <= $__toTime
ORDER BY at DESC, kind, object
LIMIT 50
