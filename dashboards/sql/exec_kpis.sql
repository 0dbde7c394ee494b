-- The last closed window of each business figure against the same hours of the weeks
-- before, the most unusual first. A figure that says too little has no difference, and
-- one of which half of the readings are not there no value either.
WITH latest AS (
  SELECT model, feature, segment, argMax(findings.verdict, findings.at) AS verdict, argMax(findings.value, findings.at) AS value,
    argMax(findings.null_mean, findings.at) AS usual, argMax(findings.low, findings.at) AS low, argMax(findings.high, findings.at) AS high,
    argMax(findings.effect, findings.at) AS effect, argMax(findings.window_end, findings.at) AS until, argMax(findings.window, findings.at) AS window,
    argMax(findings.assumes, findings.at) AS assumes
  FROM findings
  WHERE signal = 'kpi' AND measure = 'mean_kpi' AND stage = 'production' AND model IN ($model) AND at > $__toTime - INTERVAL 1 HOUR AND at <= $__toTime
  GROUP BY model, feature, segment
)
SELECT transform(toString(verdict), ['breach', 'missing', 'insufficient', 'ok'], ['unusual', 'not sent', 'not known', 'usual'], toString(verdict)) AS reading,
  model, feature AS figure, if(segment = '', 'all', toString(segment)) AS `part`,
  if(isFinite(effect) AND isFinite(latest.value), latest.value, NULL) AS reads, if(isFinite(usual), usual, NULL) AS `usually`,
  if(says AND isFinite(effect / abs(usual)), effect / abs(usual), NULL) AS difference,
  -- The interval is around the reading: around what is usual it is as wide.
  if(says AND isFinite(latest.high), usual - (latest.high - latest.value), NULL) AS `usually from`,
  if(says AND isFinite(latest.low), usual + (latest.value - latest.low), NULL) AS `usually to`,
  window AS over, until, if(says, '', assumes) AS why
FROM (SELECT *, verdict IN ('ok', 'breach') AS says FROM latest) AS latest
ORDER BY indexOf(['breach', 'missing', 'insufficient', 'ok'], verdict), abs(difference) DESC NULLS LAST, model, figure, `part`
LIMIT 200
