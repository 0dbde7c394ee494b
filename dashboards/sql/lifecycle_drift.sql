-- The five inputs of each model that moved most away from the training set on any of the last
-- seven closed days of the range: PSI of a day less the median of the days that were quiet,
-- in the range and the 91 days before it. A weekday is as far from a training set of all of them every day,
-- and does not move. Without a quiet day it is what noise alone gives that is taken off. Of
-- a day the rows of the newest look count, and none of a day before which another was looked
-- at again since.
WITH
  looked AS (
    SELECT model, end, max(version) AS newest
    FROM drift_days
    WHERE series = 'requests' AND model IN ($model) AND end > $__fromTime - INTERVAL 91 DAY AND end <= $__toTime
    GROUP BY model, end
  ),
  chain AS (
    SELECT model, end, newest
    FROM (SELECT *, max(newest) OVER (PARTITION BY model ORDER BY end ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS latest FROM looked)
    WHERE newest = latest
  ),
  days AS (
    SELECT model, substring(series, 9) AS feature, end, drift_days.value AS distance, null_mean, status,
      countIf(status IN ('learnt', 'quiet')) OVER (PARTITION BY model, series) AS quiet,
      quantileExactIf(0.5)(drift_days.value, status IN ('learnt', 'quiet')) OVER (PARTITION BY model, series) AS usual
    FROM drift_days FINAL
    WHERE startsWith(series, 'feature:') AND reference = 'training' AND measure = 'psi' AND segment = '' AND status != 'insufficient'
      AND isFinite(drift_days.value - null_mean) AND model IN ($model) AND end > $__fromTime - INTERVAL 91 DAY AND end <= $__toTime
      AND (model, end, version) GLOBAL IN (SELECT model, end, newest FROM chain)
  ),
  moves AS (
    SELECT model, feature, end, distance - if(quiet > 0, usual, null_mean) AS moved, maxIf(moved, end > $__toTime - INTERVAL 7 DAY) OVER (PARTITION BY model, feature) AS most
    FROM days
    WHERE end > $__fromTime
  ),
  worst AS (SELECT DISTINCT model, feature, most FROM moves ORDER BY most DESC, feature LIMIT 5 BY model)
SELECT end AS time, concat(model, ' ', feature) AS metric, moved AS value
FROM moves
WHERE (model, feature) GLOBAL IN (SELECT model, feature FROM worst)
ORDER BY time, metric
