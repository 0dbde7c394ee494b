-- Of the promises of which something is known, the share whose error budget is not
-- overspent. What is on trial is no promise yet, and what a composite is made of is
-- promised by it alone. Without one that is known there is no number: not 0 and not 100 %.
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
SELECT if(known = 0, 'nothing is known of any', concat(toString(kept), ' of ', toString(known), if(known = 1, ' promise', ' promises'), ' kept')) AS metric,
  if(known = 0, NULL, kept / known) AS value
FROM (
  SELECT countIf(said.verdict = 'ok') AS kept, countIf(said.verdict IN ('ok', 'breach')) AS known
  FROM promised LEFT JOIN said ON said.model = promised.model AND said.slo = promised.slo
)
