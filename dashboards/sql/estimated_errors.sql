-- What is estimated before labels and is no share, with the ends of its interval.
-- How often past intervals held is no quality.
SELECT toStartOfFiveMinutes(at) AS time,
  concat(model, ' ', deploy_hash, ' ', measure, ' ', window, if(verdict = 'ok', '', ', unproven'), tupleElement(part, 1)) AS metric, argMax(tupleElement(part, 2), at) AS value
FROM findings
ARRAY JOIN [('', findings.value), (' at least', findings.low), (' at most', findings.high)] AS part
WHERE signal = 'estimated_quality' AND measure != 'interval_record' AND NOT has($shares, measure) AND model IN ($model) AND at >= $__fromTime AND at <= $__toTime AND isFinite(tupleElement(part, 2))
GROUP BY time, metric
ORDER BY time, metric
