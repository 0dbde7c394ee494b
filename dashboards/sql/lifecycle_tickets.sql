-- On how many inputs a drift ticket against the training set is open, by closed day. A day
-- that was looked at and has none is 0, one that was not looked at is none at all; so is
-- one on which nothing could be decided of any input, as on the first days, which are learnt
-- from. A ticket may stay open over a day that says nothing.
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
SELECT end AS time, model AS metric, toFloat64(uniqExactIf(series, opens)) AS value
FROM (SELECT *, status IN ('opened', 'open') OR JSONExtractBool(state, 'detector', 'Open') AS opens FROM drift_days FINAL)
WHERE startsWith(series, 'feature:') AND reference = 'training' AND segment = '' AND model IN ($model)
  AND end > $__fromTime AND end <= $__toTime AND (model, end, version) GLOBAL IN (SELECT model, end, newest FROM chain)
GROUP BY time, metric
HAVING countIf(opens OR status NOT IN ('insufficient', 'learnt')) > 0
ORDER BY time, metric
