-- Median time by which right alarms of 90 days came before their labels.
SELECT concat(toString(model), ' ', toString(kind)) AS metric, toFloat64(quantileExact(0.5)(assumeNotNull(lead_s))) AS value
FROM ledger FINAL
WHERE truth = 'true' AND isNotNull(lead_s) AND model IN ($model) AND opened > $__toTime - INTERVAL 90 DAY AND opened <= $__toTime
GROUP BY metric
ORDER BY metric
