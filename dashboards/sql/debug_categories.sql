-- Shares of the values of the chosen feature by hour, nulls left out: its eight most
-- frequent of the range, and all others together. Where an hour has values and none of
-- them is that one, its share is 0.
WITH
  hours AS (
    SELECT model, deploy_hash, stage, substring(series, 9) AS feature, time, value, kind, sum(count) AS n
    FROM categories_hour
    WHERE model IN ($model) AND series GLOBAL IN (SELECT concat('feature:', arrayJoin(CAST([$feature], 'Array(String)'))))
      AND kind != 1 AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
    GROUP BY model, deploy_hash, stage, feature, time, value, kind
  ),
  frequent AS (
    SELECT model, feature, groupArray(value) AS names
    FROM (SELECT model, feature, value, sum(n) AS most FROM hours WHERE kind = 0 GROUP BY model, feature, value ORDER BY most DESC, value LIMIT 8 BY model, feature)
    GROUP BY model, feature
  )
SELECT time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage)), ' ', feature, ' ', tupleElement(part, 1)) AS metric, tupleElement(part, 2) AS value
FROM (
  SELECT h.time AS time, h.model AS model, h.deploy_hash AS deploy_hash, h.stage AS stage, h.feature AS feature, any(f.names) AS names,
    sumMapIf(map(h.value, h.n), h.kind = 0 AND has(f.names, h.value)) AS counts, sum(h.n) AS total
  FROM hours AS h
  LEFT JOIN frequent AS f ON f.model = h.model AND f.feature = h.feature
  GROUP BY time, model, deploy_hash, stage, feature
  HAVING total > 0
)
ARRAY JOIN arrayConcat(arrayMap(name -> (concat('= ', name), counts[name] / total), names),
  [('all others', greatest(1 - arraySum(name -> counts[name] / total, names), 0))]) AS part
WHERE tupleElement(part, 1) != 'all others' OR tupleElement(part, 2) > 1e-9
ORDER BY time, metric
