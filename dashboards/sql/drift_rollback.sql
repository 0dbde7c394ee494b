-- Of the drift alarms of 90 days, the share after which an earlier deploy came
-- back.
SELECT toString(model) AS metric, countIf(rollback_to != '') / count() AS value
FROM ledger FINAL
WHERE kind IN ('drift', 'concept_drift') AND model IN ($model) AND opened > $__toTime - INTERVAL 90 DAY AND opened <= $__toTime
GROUP BY metric
ORDER BY metric
