-- The window pair that is nearest to its alert: 1 means that the lower end of the
-- long window and the bad share of the short one have both reached the threshold,
-- which is what the rule compares. A window that may not speak has no say.
WITH
  latest AS (
    SELECT model, slo, deploy_hash, window, argMax(value, at) AS value, argMax(low, at) AS low, argMax(verdict, at) AS verdict
    FROM findings
    WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND model IN ($model)
      AND at > $__toTime - INTERVAL 10 MINUTE AND at <= $__toTime
    GROUP BY model, slo, deploy_hash, window
  ),
  pairs AS (
    SELECT p.slo AS slo, p.model AS model, p.severity AS severity, p.long AS long, p.short AS short, p.threshold AS threshold
    FROM (SELECT arrayJoin($objectives) AS p)
  )
SELECT
  concat(pairs.slo, ' ', l.deploy_hash, ' ', pairs.severity, ' ', pairs.long, '/', pairs.short) AS metric,
  least(l.low, s.value) / pairs.threshold AS value
FROM pairs
INNER JOIN latest AS l ON l.model = pairs.model AND l.slo = pairs.slo AND l.window = pairs.long
INNER JOIN latest AS s ON s.model = pairs.model AND s.slo = pairs.slo AND s.window = pairs.short AND s.deploy_hash = l.deploy_hash
WHERE isFinite(l.low) AND isFinite(s.value)
  AND l.verdict NOT IN ('insufficient', 'missing') AND s.verdict NOT IN ('insufficient', 'missing')
ORDER BY value DESC, metric
LIMIT 1
