-- The five inputs of each model that were farthest from the training set on any closed day
-- of the range: PSI beyond what noise alone gives, by day. Of a day the rows of the newest
-- look count, and none of a day before which another was looked at again since.
WITH
  looked AS (
    SELECT model, end, max(version) AS newest
    FROM drift_days
    WHERE series = 'requests' AND model IN ($model) AND end > $__fromTime AND end <= $__toTime
    GROUP BY model, end
  ),
  chain AS (
    SELECT model, end, newest
    FROM (SELECT *, max(newest) OVER (PARTITION BY model ORDER BY end ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS latest FROM looked)
    WHERE newest = latest
  ),
  days AS (
    SELECT model, substring(series, 9) AS feature, end, drift_days.value - null_mean AS beyond
    FROM drift_days FINAL
    WHERE startsWith(series, 'feature:') AND reference = 'training' AND measure = 'psi' AND segment = '' AND status != 'insufficient'
      AND isFinite(beyond) AND model IN ($model) AND end > $__fromTime AND end <= $__toTime
      AND (model, end, version) GLOBAL IN (SELECT model, end, newest FROM chain)
  ),
  worst AS (SELECT model, feature, max(beyond) AS most FROM days GROUP BY model, feature ORDER BY most DESC, feature LIMIT 5 BY model)
SELECT end AS time, concat(model, ' ', feature) AS metric, beyond AS value
FROM days
WHERE (model, feature) GLOBAL IN (SELECT model, feature FROM worst)
ORDER BY time, metric
