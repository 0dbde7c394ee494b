-- Numeric series of a window in parts: by deploy and slot of time where
-- segmented is 0, by segment where it is 1. Only the full grid: versions never
-- merge.
SELECT series, grid, if({segmented:UInt8} = 1, '', deploy_hash) AS deploy,
  if({segmented:UInt8} = 1, toInt64(0), intDiv(toInt64(toUnixTimestamp(time)), {slot:Int64}) * {slot:Int64}) AS begin,
  if({segmented:UInt8} = 1, segment, '') AS slice,
  sum(nulls), sum(nans), sum(infs), (sumMap(hist) AS merged).1, merged.2
FROM series_hour
WHERE model = {model:String} AND series IN {series:Array(String)} AND stage = {stage:String} AND grid IN ('f8', 'o8')
  AND if({segmented:UInt8} = 1, segment != '', segment = {segment:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
GROUP BY series, grid, deploy, begin, slice
