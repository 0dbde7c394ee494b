SELECT DISTINCT time, concat('target ', p.slo) AS metric, p.target AS value
FROM (SELECT arrayJoin([$__fromTime, $__toTime]) AS time, arrayJoin($objectives) AS p)
WHERE p.model IN ($model) AND p.on_accuracy
ORDER BY time, metric
