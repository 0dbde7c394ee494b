-- What is wrong with the events: every check of data quality in breach, and every share of
-- what should not come that is over 0. All other checks of a deploy are one row of each
-- verdict, so that an empty table never means that all is well; a model that nobody looks
-- at is missing, and so is a deploy that answers. Repeats are counted once an hour, all
-- else within minutes.
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
    endsWith(measure, '_share') AND measure != 'constant_share' OR measure IN ('type_change', 'new_feature') AS wrong,
    verdict = 'breach' OR verdict = 'ok' AND wrong AND value > 0 AS told
  FROM latest
),
looked AS (SELECT DISTINCT model, deploy_hash, stage FROM latest WHERE measure != 'duplicate_share'),
serving AS (
  SELECT model, deploy_hash, stage
  FROM series_minute
  WHERE series = 'requests' AND segment = '' AND stage != 'training' AND model IN ($model) AND time > $__toTime - INTERVAL 10 MINUTE AND time <= $__toTime
  GROUP BY model, deploy_hash, stage
)
SELECT verdict, model, feature, measure, now, usual, deploy, reference, at
FROM (
  SELECT toString(verdict) AS verdict, toString(model) AS model, toString(feature) AS feature, toString(measure) AS measure,
    if(isFinite(said.value), said.value, NULL) AS now, if(isFinite(before), before, NULL) AS usual, deploy, toString(reference) AS reference, last AS at,
    if(verdict = 'breach', 0, 2) AS rank, if(wrong, value, NULL) AS share
  FROM said
  WHERE told
  UNION ALL
  SELECT toString(verdict), toString(model), concat('(', toString(uniqExactIf(feature, feature != '') AS features), if(features = 1, ' feature)', ' features)')),
    if(verdict = 'ok', concat('checks within bounds: ', toString(count())), concat('checks that say nothing: ', toString(count()), ', ', any(assumes))),
    NULL, NULL, deploy, '', max(last), transform(verdict, ['missing', 'insufficient'], [1, 3], 4), NULL
  FROM said
  WHERE NOT told
  GROUP BY verdict, model, deploy
  UNION ALL
  SELECT 'missing', model, '(all)', 'no finding of features in 10 minutes: nothing looks at these events', NULL, NULL, '', '', NULL, 1, NULL
  FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model)
  WHERE model GLOBAL NOT IN (SELECT toString(model) FROM looked)
  UNION ALL
  SELECT 'missing', toString(model), '(all)', 'no finding of features in 10 minutes: the deploy answers, and nothing looks at its events', NULL, NULL,
    concat(deploy_hash, if(stage = 'production', '', concat(' ', stage))), '', NULL, 1, NULL
  FROM serving
  WHERE model GLOBAL IN (SELECT model FROM looked) AND (model, deploy_hash, stage) GLOBAL NOT IN (SELECT model, deploy_hash, stage FROM looked)
)
ORDER BY rank, share DESC NULLS LAST, model, feature, measure, deploy
LIMIT 200
