-- Categorical series of the window, and the nulls of every feature.
SELECT series, value, kind, sum(count)
FROM categories_hour
WHERE model = {model:String} AND segment = {segment:String} AND stage = {stage:String}
  AND (series = 'predicted' OR startsWith(series, 'feature:'))
  AND (empty({only:Array(String)}) OR has({only:Array(String)}, series))
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
GROUP BY series, value, kind
