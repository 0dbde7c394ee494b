-- The rows of least hash among the raw predictions of a window. Responses that
-- came apart from their request carry no features.
SELECT prediction_id, ts, mapKeys(numbers), mapValues(numbers), mapKeys(categories), mapValues(categories),
  ifNull(score, nan), predicted
FROM predictions
WHERE model = {model:String} AND stage = {stage:String} AND half != 'response'
  AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
  AND arrayAll((k, v) -> segments[k] = v, {keys:Array(String)}, {values:Array(String)})
ORDER BY xxHash64(prediction_id), prediction_id, ts
LIMIT {limit:UInt64}
