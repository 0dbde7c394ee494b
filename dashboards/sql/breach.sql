-- The latest finding of each series, where it is in breach or missing, and a row for
-- every selected model that has no finding at all, and for every SLO of which no window
-- says anything: an empty table means that something looked and found nothing. Repeats
-- are counted once an hour, all else is looked at within minutes. Of a deploy that
-- serves no more, as others do, nothing is missing. A look at an SLO writes all its rows
-- with one time: what the newest no longer speaks of is over.
WITH series AS (
  SELECT model, signal, deploy_hash, stage, segment, slo, feature, reference, window, measure,
    max(findings.at) AS last, argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS value,
    argMax(findings.low, findings.at) AS low, argMax(findings.high, findings.at) AS high,
    argMax(findings.count, findings.at) AS events, argMax(findings.coverage, findings.at) AS coverage,
    argMax(findings.assumes, findings.at) AS assumes
  FROM findings
  WHERE model IN ($model) AND at > $__toTime - INTERVAL 75 MINUTE AND at <= $__toTime
    AND (at > $__toTime - INTERVAL 10 MINUTE OR signal = 'data_quality' AND measure = 'duplicate_share')
    AND measure != 'bad_share_of_part' -- the whole stands beside it
  GROUP BY model, signal, deploy_hash, stage, segment, slo, feature, reference, window, measure
),
latest AS (
  SELECT *
  FROM (SELECT *, max(last) OVER (PARTITION BY model, signal, slo, measure) AS looked FROM series)
  WHERE last = looked OR signal != 'burn' OR measure != 'bad_share'
)
SELECT * FROM (
  SELECT verdict, model, deploy_hash, signal,
    arrayStringConcat(arrayFilter(part -> part != '', [toString(slo), toString(feature), toString(segment), toString(window),
      if(stage = 'production', '', toString(stage)), if(reference = '', '', concat('against ', reference))]), ' ') AS what,
    measure, if(isFinite(value), value, NULL) AS value,
    if(isFinite(low), low, NULL) AS low, if(isFinite(high), high, NULL) AS high,
    events, if(isFinite(coverage), coverage, NULL) AS coverage, last AS at, assumes
  FROM latest
  WHERE verdict IN ('breach', 'missing')
    AND NOT (verdict = 'missing' AND signal = 'burn'
      AND (model, slo, deploy_hash) GLOBAL IN (SELECT model, slo, deploy_hash FROM latest WHERE signal = 'burn' AND verdict = 'missing' AND assumes = $elsewhere))
  UNION ALL
  SELECT 'missing', model, '', 'all', 'no finding in 10 minutes: nothing watches this model', '', NULL, NULL, NULL, 0, NULL, NULL, ''
  FROM (SELECT arrayJoin(CAST([$model], 'Array(String)')) AS model)
  WHERE model GLOBAL NOT IN (SELECT model FROM latest WHERE last > $__toTime - INTERVAL 10 MINUTE)
  UNION ALL
  SELECT DISTINCT 'missing', p.model, '', 'burn', concat(p.slo, ': no window says anything'), 'bad_share', NULL, NULL, NULL, 0, NULL, NULL, ''
  FROM (SELECT arrayJoin($objectives) AS p)
  WHERE p.model IN ($model)
    AND (p.model, p.slo) GLOBAL NOT IN (SELECT model, slo FROM latest WHERE signal = 'burn' AND measure = 'bad_share' AND verdict != 'insufficient')
)
ORDER BY verdict, signal, value DESC, model, what
LIMIT 200
