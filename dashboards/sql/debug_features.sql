-- Features that came in the range or on the day before it, so that one which is no longer
-- sent can be chosen. The one that is in breach and moved most stands first: Grafana takes
-- it. Its quoting of a list leaves backslashes alone, so a name with one is left out.
SELECT f.feature AS feature
FROM (
  SELECT DISTINCT substring(series, 9) AS feature
  FROM series_hour
  WHERE model IN ($model) AND startsWith(series, 'feature:') AND segment = '' AND stage != 'training'
    AND time >= toStartOfHour($__fromTime) - INTERVAL 1 DAY AND time <= $__toTime
  UNION DISTINCT
  SELECT DISTINCT substring(series, 9) AS feature
  FROM categories_hour
  WHERE model IN ($model) AND startsWith(series, 'feature:') AND segment = '' AND stage != 'training'
    AND time >= toStartOfHour($__fromTime) - INTERVAL 1 DAY AND time <= $__toTime
) AS f
LEFT JOIN (
  SELECT toString(findings.feature) AS feature, max(verdict = 'breach') AS breach, max(if(isFinite(findings.effect), findings.effect, -1)) AS beyond
  FROM findings
  WHERE signal = 'drift' AND measure = 'psi' AND segment = '' AND model IN ($model) AND at > $__toTime - INTERVAL 10 MINUTE AND at <= $__toTime
  GROUP BY feature
) AS d ON d.feature = f.feature
WHERE position(f.feature, '\\') = 0
ORDER BY d.breach DESC, d.beyond DESC, feature
