-- The end of the newest hour that is over and has predictions, of those from an hour
-- on: rollups are kept for years.
SELECT toInt64(toUnixTimestamp(max(time))) + 3600
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage != 'training'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
HAVING count() > 0
