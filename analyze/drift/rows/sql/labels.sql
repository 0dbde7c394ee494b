-- The winning labels of the rows that rows.sql takes.
SELECT prediction_id, (argMax((label, deleted), (ts, _topic, _partition, _offset)) AS winner).1
FROM labels
WHERE model = {model:String} AND prediction_id GLOBAL IN (
  SELECT prediction_id
  FROM predictions
  WHERE model = {model:String} AND stage = {stage:String} AND half != 'response'
    AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
    AND arrayAll((k, v) -> segments[k] = v, {keys:Array(String)}, {values:Array(String)})
  ORDER BY xxHash64(prediction_id), prediction_id, ts
  LIMIT {limit:UInt64})
GROUP BY prediction_id
HAVING winner.2 = 0
