-- Share of answers by minute that were none, of at most the last hour of the range: what
-- an answer said of itself stands in raw rows alone. A minute with answers and without an
-- error has a share of 0, one without answers has none.
WITH minutes AS (
  SELECT toStartOfMinute(ts) AS time, model, deploy_hash, stage, sumMap(map(toString(status), weight)) AS by_status, sum(weight) AS answers
  FROM predictions
  WHERE model IN ($model) AND stage != 'training' AND half != 'request' AND ts >= greatest($__fromTime, $__toTime - INTERVAL 1 HOUR) AND ts <= $__toTime
  GROUP BY time, model, deploy_hash, stage
)
SELECT m.time AS time, concat(m.model, ' ', m.deploy_hash, if(m.stage = 'production', '', concat(' ', m.stage)), ' ', tupleElement(part, 1)) AS metric, tupleElement(part, 2) AS value
FROM minutes AS m
INNER JOIN (
  SELECT model, deploy_hash, stage, arraySlice(groupUniqArrayArray(arrayFilter(s -> s != 'ok', mapKeys(by_status))), 1, 10) AS statuses
  FROM minutes
  GROUP BY model, deploy_hash, stage
) AS e ON e.model = m.model AND e.deploy_hash = m.deploy_hash AND e.stage = m.stage
ARRAY JOIN arrayConcat([('any error', (m.answers - m.by_status['ok']) / m.answers)], arrayMap(s -> (concat('status ', s), m.by_status[s] / m.answers), e.statuses)) AS part
ORDER BY time, metric
