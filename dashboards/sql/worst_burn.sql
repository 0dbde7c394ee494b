-- The window pair that is nearest to its alert: 1 means that the bad shares of both
-- windows have reached the threshold, which is what the rule compares: of labels the
-- lower end of the long one's interval. A page on events as they come waits besides
-- until noise alone would not do that, and is under 1 until then. A window that may not
-- speak has no say, and nor has a deploy that the newest look at the SLO does not speak
-- of any more: one look writes all its rows with one time.
WITH
  looks AS (
    SELECT model, slo, max(at) AS looked
    FROM findings
    WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND model IN ($model)
      AND at > $__toTime - INTERVAL 10 MINUTE AND at <= $__toTime
    GROUP BY model, slo
  ),
  latest AS (
    SELECT model, slo, deploy_hash, window, any(findings.value) AS value, any(findings.low) AS low, any(findings.p) AS noise, any(findings.verdict) AS verdict
    FROM findings
    WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND model IN ($model)
      AND at > $__toTime - INTERVAL 10 MINUTE AND (model, slo, at) GLOBAL IN (SELECT model, slo, looked FROM looks)
    GROUP BY model, slo, deploy_hash, window
  ),
  pairs AS (
    SELECT p.slo AS slo, p.model AS model, p.severity AS severity, p.long AS long, p.short AS short, p.threshold AS threshold, p.on_labels AS on_labels, p.noise AS noise
    FROM (SELECT arrayJoin($objectives) AS p)
  )
SELECT
  concat(pairs.slo, ' ', l.deploy_hash, ' ', pairs.severity, ' ', pairs.long, '/', pairs.short) AS metric,
  least(if(pairs.on_labels, l.low, l.value) / pairs.threshold, s.value / pairs.threshold,
    if(pairs.on_labels OR pairs.noise = 0 OR l.noise <= pairs.noise, inf, 0.99)) AS value
FROM pairs
INNER JOIN latest AS l ON l.model = pairs.model AND l.slo = pairs.slo AND l.window = pairs.long
INNER JOIN latest AS s ON s.model = pairs.model AND s.slo = pairs.slo AND s.window = pairs.short AND s.deploy_hash = l.deploy_hash
WHERE isFinite(if(pairs.on_labels, l.low, l.value)) AND isFinite(s.value)
  AND l.verdict NOT IN ('insufficient', 'missing') AND s.verdict NOT IN ('insufficient', 'missing')
ORDER BY value DESC, metric
LIMIT 1
