-- Raw predictions of a window.
SELECT count()
FROM predictions
WHERE model = {model:String} AND stage = {stage:String} AND half != 'response'
  AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
  AND arrayAll((k, v) -> segments[k] = v, {keys:Array(String)}, {values:Array(String)})
