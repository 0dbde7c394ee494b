-- Of the quality and drift alarms of 90 days that labels have judged, the share
-- that was right. Without a judged one there is no number: not 0 and not 100 %.
SELECT concat(toString(model), ' ', toString(kind)) AS metric, if(countIf(truth != 'undecided') = 0, NULL, countIf(truth = 'true') / countIf(truth != 'undecided')) AS value
FROM ledger FINAL
WHERE model IN ($model) AND opened > $__toTime - INTERVAL 90 DAY AND opened <= $__toTime
GROUP BY metric
ORDER BY value ASC NULLS FIRST, metric
