-- The latest finding of drift of each feature, deploy, reference and window, by the measure
-- that says most: distances beyond noise are compared in their least effects. What is
-- insufficient or missing has no number, and says why. A model that nobody looks at is
-- missing, and so is a deploy that answers: what has no row is not what did not move.
WITH latest AS (
  SELECT model, deploy_hash, stage, feature, reference, window, measure,
    max(findings.at) AS last, argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS value,
    argMax(findings.null_mean, findings.at) AS noise, argMax(findings.effect, findings.at) AS effect, argMax(findings.p, findings.at) AS p,
    argMax(findings.count, findings.at) AS events, argMax(findings.assumes, findings.at) AS assumes
  FROM findings
  WHERE signal = 'drift' AND segment = '' AND model IN ($model) AND at > $__toTime - INTERVAL 10 MINUTE AND at <= $__toTime
  GROUP BY model, deploy_hash, stage, feature, reference, window, measure
),
serving AS (
  SELECT model, deploy_hash, stage
  FROM series_minute
  WHERE series = 'requests' AND segment = '' AND stage != 'training' AND model IN ($model) AND time > $__toTime - INTERVAL 10 MINUTE AND time <= $__toTime
  GROUP BY model, deploy_hash, stage
)
SELECT verdict, model, feature, deploy, reference, window, measure, value, noise, beyond, p, events, at, assumes
FROM (
  SELECT verdict, toString(model) AS model, if(feature = '', '(all)', toString(feature)) AS feature,
    concat(deploy_hash, if(stage = 'production', '', concat(' ', stage))) AS deploy, toString(reference) AS reference, toString(window) AS window, toString(measure) AS measure,
    if(says AND isFinite(latest.value), latest.value, NULL) AS value, if(says AND isFinite(latest.noise), latest.noise, NULL) AS noise,
    if(says AND isFinite(effect), effect, NULL) AS beyond, if(says AND isFinite(latest.p), latest.p, NULL) AS p, events, last AS at, assumes,
    if(verdict = 'breach', 0, if(verdict = 'missing', 1, if(says, 2, 3))) AS rank,
    beyond / transform(measure, ['psi', 'kl', 'js', 'hellinger', 'chi_square', 'tvd', 'l_infinity', 'ks', 'cramer_von_mises', 'wasserstein_normalised'],
      [0.1, 0.05, 0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.05, 0.05], inf) AS least_effects
  FROM (SELECT *, verdict NOT IN ('insufficient', 'missing') AS says FROM latest) AS latest
  UNION ALL
  SELECT 'missing', model, '(all)', '', '', '', '', NULL, NULL, NULL, NULL, 0, NULL, 'no finding of drift in 10 minutes: nothing watches the inputs of this model', 1, NULL
  FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model)
  WHERE model GLOBAL NOT IN (SELECT toString(model) FROM latest)
  UNION ALL
  SELECT 'missing', toString(model), '(all)', concat(deploy_hash, if(stage = 'production', '', concat(' ', stage))), '', '', '', NULL, NULL, NULL, NULL, 0, NULL,
    'no finding of drift in 10 minutes: the deploy answers, and nothing watches its inputs', 1, NULL
  FROM serving
  WHERE model GLOBAL IN (SELECT model FROM latest) AND (model, deploy_hash, stage) GLOBAL NOT IN (SELECT model, deploy_hash, stage FROM latest)
)
ORDER BY rank, least_effects DESC NULLS LAST, model, feature, deploy, reference
LIMIT 1 BY model, feature, deploy, reference, window
LIMIT 200
