-- When each deploy served, by hour, and how much.
SELECT deploy_hash, toInt64(toUnixTimestamp(min(time))), toInt64(toUnixTimestamp(max(time))), sum(count)
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment = {segment:String} AND stage = {stage:String}
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
GROUP BY deploy_hash
ORDER BY max(time), min(time), deploy_hash
