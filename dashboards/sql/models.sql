-- Models that answered lately, and those with an SLO, whether they ever answered or not.
-- Grafana's quoting of a list leaves backslashes alone, so a name with one could leave
-- its string; such a model is shown on the page in the binary.
SELECT DISTINCT model
FROM (
  SELECT toString(model) AS model
  FROM series_hour
  WHERE model != '' AND series = 'requests' AND stage != 'training' AND time > now() - INTERVAL 90 DAY
  UNION ALL
  SELECT tupleElement(arrayJoin($objectives), 'model')
)
WHERE position(model, '\\') = 0
ORDER BY model
