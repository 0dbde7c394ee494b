-- Categorical series of a window in parts, and the nulls of features.
SELECT series, if({segmented:UInt8} = 1, '', deploy_hash) AS deploy,
  if({segmented:UInt8} = 1, toInt64(0), intDiv(toInt64(toUnixTimestamp(time)), {slot:Int64}) * {slot:Int64}) AS begin,
  if({segmented:UInt8} = 1, segment, '') AS slice,
  value, kind, sum(count)
FROM categories_hour
WHERE model = {model:String} AND series IN {series:Array(String)} AND stage = {stage:String}
  AND if({segmented:UInt8} = 1, segment != '', segment = {segment:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
GROUP BY series, deploy, begin, slice, value, kind
