-- Declared metrics in units of their own, with the ends of their intervals. What is
-- insufficient or missing has no number, and a line stops where it becomes so.
SELECT toStartOfFiveMinutes(at) AS time, concat(model, ' ', deploy_hash, ' ', measure, tupleElement(part, 1)) AS metric, argMax(tupleElement(part, 2), at) AS value
FROM findings
ARRAY JOIN [('', findings.value), (' at least', findings.low), (' at most', findings.high)] AS part
WHERE signal = 'quality' AND NOT has($shares, measure) AND stage = 'production' AND segment = '' AND window = $window AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime
GROUP BY time, metric HAVING argMax(verdict, at) NOT IN ('insufficient', 'missing') AND isFinite(value)
ORDER BY time, metric
