-- The deploys that answered in a range, with the first and the last minute of each hour
-- in which they did.
SELECT deploy_hash, arraySort(groupArray(first)), arraySort(groupArray(last))
FROM (
    SELECT deploy_hash, toUnixTimestamp(min(time)) AS first, toUnixTimestamp(max(time)) AS last
    FROM series_minute
    WHERE model = {model:String} AND series = 'requests' AND segment = {segment:String} AND stage = 'production'
      AND time >= toDateTime({from:Int64}, 'UTC') AND time <= toDateTime({to:Int64}, 'UTC') AND count > 0
    GROUP BY deploy_hash, toStartOfHour(time)
)
GROUP BY deploy_hash ORDER BY deploy_hash
