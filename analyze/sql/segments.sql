-- The segments with most requests in a range, of some deploys or of all.
SELECT segment
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment != '' AND stage = {stage:String}
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
GROUP BY segment
ORDER BY sum(count) DESC, segment
LIMIT {most:UInt32}
