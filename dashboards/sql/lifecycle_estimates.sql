-- What scores promise of the labels that are not in yet, of each deploy that was told of in
-- the last hour, beside what the labels that are in say over the longest window in which
-- there are enough, and the target of its SLO on accuracy. Only what its own record has
-- proven is called so; held is how many of its past intervals held.
WITH
  latest AS (
    SELECT model, deploy_hash, window, measure, signal, max(findings.at) AS last, argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS value,
      argMax(findings.low, findings.at) AS low, argMax(findings.high, findings.at) AS high, argMax(findings.coverage, findings.at) AS coverage, argMax(findings.assumes, findings.at) AS assumes
    FROM findings
    WHERE (signal = 'estimated_quality' AND measure IN ('accuracy', 'mae', 'interval_record') OR signal = 'quality' AND measure IN ('accuracy', 'mae') OR signal = 'concept_drift' AND measure = 'estimate_gap')
      AND stage = 'production' AND segment = '' AND feature = '' AND model IN ($model) AND at > $__toTime - INTERVAL 1 HOUR AND at <= $__toTime
    GROUP BY model, deploy_hash, window, measure, signal
  ),
  labels AS (
    SELECT model, deploy_hash, measure, argMax(window, length) AS longest, argMax(latest.value, length) AS value
    FROM (SELECT *, toUInt64OrZero(substring(window, 1, length(window) - 1)) * transform(right(window, 1), ['m', 'h', 'd'], [60, 3600, 86400], 1) AS length FROM latest WHERE signal = 'quality') AS latest
    WHERE verdict NOT IN ('insufficient', 'missing') AND isFinite(latest.value)
    GROUP BY model, deploy_hash, measure
  ),
  targets AS (
    SELECT p.model AS model, max(p.target) AS target
    FROM (SELECT arrayJoin($objectives) AS p)
    WHERE p.on_accuracy AND p.model IN ($model)
    GROUP BY model
  )
SELECT multiIf(g.verdict = 'breach', 'contradicted by labels', NOT isFinite(e.value) AND NOT isFinite(e.low), 'no estimate', e.verdict IN ('ok', 'breach'), 'proven', 'unproven') AS record,
  e.model AS model, e.deploy_hash AS deploy_hash, e.window AS window, e.measure AS measure,
  if(isFinite(e.value), e.value, NULL) AS estimate, if(isFinite(e.low), e.low, NULL) AS low, if(isFinite(e.high), e.high, NULL) AS high,
  if(r.window != '' AND isFinite(r.value), r.value, NULL) AS held,
  if(l.longest != '', l.value, NULL) AS labels_say, l.longest AS labels_of,
  if(t.target > 0 AND e.measure = 'accuracy', t.target, NULL) AS target, if(isFinite(e.coverage), e.coverage, NULL) AS coverage, e.last AS at, e.assumes AS assumes
FROM (SELECT * FROM latest WHERE signal = 'estimated_quality' AND measure != 'interval_record' AND verdict != 'missing') AS e
LEFT JOIN (SELECT * FROM latest WHERE measure = 'interval_record') AS r ON r.model = e.model AND r.deploy_hash = e.deploy_hash AND r.window = e.window
LEFT JOIN (SELECT * FROM latest WHERE measure = 'estimate_gap') AS g ON g.model = e.model AND g.deploy_hash = e.deploy_hash AND g.window = e.window
LEFT JOIN labels AS l ON l.model = e.model AND l.deploy_hash = e.deploy_hash AND l.measure = e.measure
LEFT JOIN targets AS t ON t.model = e.model
ORDER BY g.verdict = 'breach' DESC, multiIf(labels_say IS NULL, estimate, estimate IS NULL, labels_say, least(estimate, labels_say)) - target ASC NULLS LAST, model, deploy_hash, window
LIMIT 200
