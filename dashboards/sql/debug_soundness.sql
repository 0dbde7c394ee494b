-- What is wrong with the events: every check of data quality in breach, and every share of
-- what should not come that is over 0. Checks that say nothing are one row each of a
-- deploy and verdict, and a model of which there is no finding at all is missing. Repeats
-- are counted once an hour, all else within minutes.
WITH latest AS (
  SELECT model, deploy_hash, stage, feature, measure,
    max(findings.at) AS last, argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS value,
    argMax(findings.null_mean, findings.at) AS before, argMax(findings.reference, findings.at) AS reference, argMax(findings.assumes, findings.at) AS assumes
  FROM findings
  WHERE signal = 'data_quality' AND segment = '' AND model IN ($model) AND at > $__toTime - INTERVAL 75 MINUTE AND at <= $__toTime
    AND (at > $__toTime - INTERVAL 10 MINUTE OR measure = 'duplicate_share')
  GROUP BY model, deploy_hash, stage, feature, measure
),
said AS (
  SELECT *, concat(deploy_hash, if(stage = 'production', '', concat(' ', stage))) AS deploy,
    endsWith(measure, '_share') AND measure != 'constant_share' OR measure IN ('type_change', 'new_feature') AS wrong
  FROM latest
)
SELECT verdict, model, feature, measure, now, usual, deploy, reference, at
FROM (
  SELECT toString(verdict) AS verdict, toString(model) AS model, toString(feature) AS feature, toString(measure) AS measure,
    if(isFinite(said.value), said.value, NULL) AS now, if(isFinite(before), before, NULL) AS usual, deploy, toString(reference) AS reference, last AS at,
    if(verdict = 'breach', 0, 2) AS rank, if(wrong, value, NULL) AS share
  FROM said
  WHERE verdict = 'breach' OR verdict = 'ok' AND wrong AND value > 0
  UNION ALL
  SELECT toString(verdict), toString(model), concat(toString(uniqExact(feature)), ' features'), concat(toString(count()), ' checks say nothing: ', any(assumes)),
    NULL, NULL, deploy, '', max(last), if(verdict = 'missing', 1, 3), NULL
  FROM said
  WHERE verdict IN ('insufficient', 'missing')
  GROUP BY verdict, model, deploy
  UNION ALL
  SELECT 'missing', model, '(all)', 'no finding in 10 minutes: nobody looks at these events', NULL, NULL, '', '', NULL, 1, NULL
  FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model)
  WHERE model GLOBAL NOT IN (SELECT toString(model) FROM latest)
)
ORDER BY rank, share DESC NULLS LAST, model, feature, measure, deploy
LIMIT 200
