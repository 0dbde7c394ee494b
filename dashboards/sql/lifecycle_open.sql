-- On how many inputs a drift ticket against the training set is open after the newest closed
-- day of three. Of a day the rows of the newest look count, and none of a day before which
-- another was looked at again since. A ticket may stay open over a day that says nothing.
-- Where nothing could be decided of any input, as in the first days, which are learnt from,
-- there is no number.
WITH
  looked AS (
    SELECT model, end, max(version) AS newest
    FROM drift_days
    WHERE series = 'requests' AND model IN ($model) AND end > $__toTime - INTERVAL 91 DAY AND end <= $__toTime
    GROUP BY model, end
  ),
  chain AS (
    SELECT model, end, newest
    FROM (SELECT *, max(newest) OVER (PARTITION BY model ORDER BY end ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS latest FROM looked)
    WHERE newest = latest AND end > $__toTime - INTERVAL 3 DAY
  ),
  last AS (SELECT model, max(end) AS until, argMax(newest, end) AS version FROM chain GROUP BY model),
  open AS (
    SELECT model, uniqExactIf(series, opens) AS tickets, countIf(opens OR status NOT IN ('insufficient', 'learnt')) AS decided
    FROM (SELECT *, status IN ('opened', 'open') OR JSONExtractBool(state, 'detector', 'Open') AS opens FROM drift_days FINAL)
    WHERE startsWith(series, 'feature:') AND reference = 'training' AND segment = '' AND model IN ($model)
      AND end > $__toTime - INTERVAL 3 DAY AND end <= $__toTime AND (model, end, version) GLOBAL IN (SELECT model, until, last.version FROM last)
    GROUP BY model
  )
SELECT m.model AS metric, if(o.decided > 0, toFloat64(o.tickets), NULL) AS value
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN open AS o ON o.model = m.model
ORDER BY value DESC NULLS FIRST, metric
