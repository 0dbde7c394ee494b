-- The input that is farthest from the training set on the newest closed day of three: PSI
-- beyond what noise alone gives. Of a day the rows of the newest look count, and none of a
-- day before which another was looked at again since.
WITH
  looked AS (
    SELECT model, end, max(version) AS newest
    FROM drift_days
    WHERE series = 'requests' AND model IN ($model) AND end > $__toTime - INTERVAL 30 DAY AND end <= $__toTime
    GROUP BY model, end
  ),
  chain AS (
    SELECT model, end, newest
    FROM (SELECT *, max(newest) OVER (PARTITION BY model ORDER BY end ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS latest FROM looked)
    WHERE newest = latest
  ),
  last AS (SELECT model, max(end) AS newest_end FROM chain GROUP BY model),
  worst AS (
    SELECT model, argMax(substring(series, 9), drift_days.value - null_mean) AS feature, max(drift_days.value - null_mean) AS beyond, count() AS features
    FROM drift_days FINAL
    WHERE startsWith(series, 'feature:') AND reference = 'training' AND measure = 'psi' AND segment = '' AND status != 'insufficient'
      AND isFinite(drift_days.value - null_mean) AND model IN ($model) AND end > $__toTime - INTERVAL 3 DAY AND end <= $__toTime
      AND (model, end) GLOBAL IN (SELECT model, newest_end FROM last) AND (model, end, version) GLOBAL IN (SELECT model, end, newest FROM chain)
    GROUP BY model
  )
SELECT concat(m.model, if(w.features > 0, concat(' ', w.feature), '')) AS metric, if(w.features > 0, w.beyond, NULL) AS value
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN worst AS w ON w.model = m.model
ORDER BY value DESC NULLS FIRST, metric
