-- How long after its end nine tenths of a window's labels are in, of all deploys together,
-- as told last within an hour. What is insufficient or missing has no number.
WITH waits AS (
  SELECT model, window, argMax(findings.value, findings.at) AS wait
  FROM findings
  WHERE signal = 'maturity' AND measure = 'mature_in_seconds' AND feature = '' AND deploy_hash = '' AND stage = 'production' AND model IN ($model)
    AND at > $__toTime - INTERVAL 1 HOUR AND at <= $__toTime
  GROUP BY model, window
  HAVING argMax(findings.verdict, findings.at) NOT IN ('insufficient', 'missing') AND isFinite(wait)
)
SELECT if(w.window = '', m.model, concat(m.model, ' ', w.window)) AS metric, if(w.window = '', NULL, w.wait) AS value
FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model) AS m
LEFT JOIN waits AS w ON w.model = m.model
ORDER BY value DESC NULLS FIRST, metric
