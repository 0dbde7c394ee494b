-- The latest finding of each declared metric and production deploy. What is
-- insufficient or missing stands first, without a number, and says why.
WITH latest AS (
  SELECT model, deploy_hash, measure,
    max(findings.at) AS last, argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS value,
    argMax(findings.low, findings.at) AS low, argMax(findings.high, findings.at) AS high,
    argMax(findings.count, findings.at) AS events, argMax(findings.coverage, findings.at) AS coverage,
    argMax(findings.assumes, findings.at) AS assumes
  FROM findings
  WHERE signal = 'quality' AND measure != 'accuracy' AND stage = 'production' AND segment = '' AND window = $window AND model IN ($model)
    AND at > $__toTime - INTERVAL 1 HOUR AND at <= $__toTime
  GROUP BY model, deploy_hash, measure
)
SELECT verdict, model, deploy_hash, measure, if(says AND isFinite(value), value, NULL) AS value,
  if(says AND isFinite(low), low, NULL) AS low, if(says AND isFinite(high), high, NULL) AS high,
  events, if(isFinite(coverage), coverage, NULL) AS coverage, last AS at, assumes
FROM (SELECT *, verdict NOT IN ('insufficient', 'missing') AS says FROM latest)
ORDER BY says, model, measure, at DESC
LIMIT 200
