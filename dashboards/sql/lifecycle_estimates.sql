-- What scores promise of the labels that are not in yet, of each deploy that was told of in
-- the last hour, beside what the labels of the same window say, and the target of its SLO on
-- accuracy. Only what its own record has proven is called so.
WITH
  latest AS (
    SELECT model, deploy_hash, window, measure, signal, max(findings.at) AS last, argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS value,
      argMax(findings.low, findings.at) AS low, argMax(findings.high, findings.at) AS high, argMax(findings.coverage, findings.at) AS coverage, argMax(findings.assumes, findings.at) AS assumes
    FROM findings
    WHERE signal IN ('estimated_quality', 'quality') AND measure IN ('accuracy', 'mae') AND stage = 'production' AND segment = '' AND feature = '' AND model IN ($model)
      AND at > $__toTime - INTERVAL 1 HOUR AND at <= $__toTime
    GROUP BY model, deploy_hash, window, measure, signal
  ),
  targets AS (
    SELECT p.model AS model, max(p.target) AS target
    FROM (SELECT arrayJoin($objectives) AS p)
    WHERE p.on_accuracy AND p.model IN ($model)
    GROUP BY model
  )
SELECT if(e.verdict IN ('ok', 'breach'), 'proven', 'unproven') AS record, e.model AS model, e.deploy_hash AS deploy_hash, e.window AS window, e.measure AS measure,
  if(isFinite(e.value), e.value, NULL) AS estimate, if(isFinite(e.low), e.low, NULL) AS low, if(isFinite(e.high), e.high, NULL) AS high,
  if(t.target > 0 AND e.measure = 'accuracy', t.target, NULL) AS target,
  if(q.verdict IN ('ok', 'breach') AND isFinite(q.value), q.value, NULL) AS labels_say, if(isFinite(e.coverage), e.coverage, NULL) AS coverage, e.last AS at, e.assumes AS assumes
FROM (SELECT * FROM latest WHERE signal = 'estimated_quality' AND verdict != 'missing') AS e
LEFT JOIN (SELECT * FROM latest WHERE signal = 'quality') AS q ON q.model = e.model AND q.deploy_hash = e.deploy_hash AND q.window = e.window AND q.measure = e.measure
LEFT JOIN targets AS t ON t.model = e.model
ORDER BY high - target ASC NULLS LAST, estimate - target ASC NULLS LAST, model, deploy_hash, window
LIMIT 200
