-- Numeric features of the window, merged over its hours. Only the full grid:
-- versions never merge, and features are never counted on the odds.
SELECT series, sum(nulls), sum(nans), sum(infs), (sumMap(hist) AS merged).1, merged.2
FROM series_hour
WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND stage = {stage:String} AND grid = 'f8'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
GROUP BY series
