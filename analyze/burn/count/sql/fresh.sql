-- The minutes in which a model answered.
SELECT toUnixTimestamp(time) AS minute
FROM series_minute
WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage = 'production'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY minute ORDER BY minute
