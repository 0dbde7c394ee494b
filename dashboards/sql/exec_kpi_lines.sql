-- How far each closed window of a business figure was from what was usual by then.
SELECT toDateTime(window_end, 'UTC') AS time, concat(model, ' ', feature, if(segment = '', '', ' '), segment) AS metric, argMax(findings.effect / abs(findings.null_mean), at) AS value
FROM findings
WHERE signal = 'kpi' AND measure = 'mean_kpi' AND stage = 'production' AND verdict IN ('ok', 'breach') AND model IN ($model)
  AND at >= $__fromTime AND at <= $__toTime AND window_end >= $__fromTime AND isFinite(findings.effect / abs(findings.null_mean))
GROUP BY time, metric
ORDER BY time, metric
