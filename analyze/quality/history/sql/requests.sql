-- Requests by hour.
SELECT toInt64(toUnixTimestamp(time)) AS hour, toInt64(sum(count))
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage = 'production'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY hour
