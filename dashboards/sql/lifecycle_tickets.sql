-- On how many inputs a drift ticket against the training set is open, by closed day. A day
-- that was looked at and has none is 0, one that was not looked at is none at all; so is
-- one of which no input could be compared.
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
  )
SELECT end AS time, model AS metric, toFloat64(uniqExactIf(series, status IN ('opened', 'open'))) AS value
FROM drift_days FINAL
WHERE startsWith(series, 'feature:') AND reference = 'training' AND segment = '' AND status != 'insufficient' AND model IN ($model)
  AND end > $__fromTime AND end <= $__toTime AND (model, end, version) GLOBAL IN (SELECT model, end, newest FROM chain)
GROUP BY time, metric
ORDER BY time, metric
