-- What was left of each promise's error budget, by hour. What a composite is made of is
-- in it.
SELECT toStartOfHour(at) AS time, concat(slo, ' ', window) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'budget' AND measure = 'left' AND verdict IN ('ok', 'breach') AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
  AND slo GLOBAL NOT IN (SELECT p.slo FROM (SELECT arrayJoin($promises) AS p) WHERE p.part)
GROUP BY time, metric
ORDER BY time, metric
