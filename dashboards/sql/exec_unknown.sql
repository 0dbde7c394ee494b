-- How many promises nothing is known of: no budget of theirs was looked at lately, or
-- the look could not tell. Where nothing is promised there is no number.
WITH
  promised AS (
    SELECT p.slo AS slo, p.model AS model
    FROM (SELECT arrayJoin($promises) AS p)
    WHERE p.model IN ($model) AND NOT p.trial AND NOT p.part
  ),
  said AS (
    SELECT model, slo, argMax(findings.verdict, findings.at) AS verdict
    FROM findings
    WHERE signal = 'budget' AND measure = 'left' AND model IN ($model) AND at > $__toTime - INTERVAL 10 MINUTE AND at <= $__toTime
    GROUP BY model, slo
  )
SELECT if(promises = 0, 'nothing is promised', concat('of ', toString(promises), if(promises = 1, ' promise', ' promises'))) AS metric,
  if(promises = 0, NULL, toFloat64(unknown)) AS value
FROM (
  SELECT count() AS promises, countIf(said.verdict NOT IN ('ok', 'breach')) AS unknown
  FROM promised LEFT JOIN said ON said.model = promised.model AND said.slo = promised.slo
)
