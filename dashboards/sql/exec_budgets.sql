-- What was left of each promise's error budget, by hour, of the 15 with least left at
-- last: more lines say nothing. What a composite is made of is in it.
WITH parts AS (SELECT p.slo AS slo FROM (SELECT arrayJoin($promises) AS p) WHERE p.part)
SELECT toStartOfHour(at) AS time, concat(slo, ' ', window) AS metric, argMax(findings.value, at) AS value
FROM findings
WHERE signal = 'budget' AND measure = 'left' AND verdict IN ('ok', 'breach') AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
  AND (slo, window) GLOBAL IN (
    SELECT slo, window
    FROM findings
    WHERE signal = 'budget' AND measure = 'left' AND verdict IN ('ok', 'breach') AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(findings.value)
      AND slo GLOBAL NOT IN (SELECT slo FROM parts)
    GROUP BY slo, window
    ORDER BY argMax(findings.value, at), slo
    LIMIT 15)
GROUP BY time, metric
ORDER BY time, metric
