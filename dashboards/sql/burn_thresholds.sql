SELECT time, concat('threshold ', p.slo, ' ', p.severity, ' ', p.long, '/', p.short) AS metric, p.threshold AS value
FROM (SELECT arrayJoin([$__fromTime, $__toTime]) AS time, arrayJoin($objectives) AS p)
WHERE p.model IN ($model)
ORDER BY time, metric
