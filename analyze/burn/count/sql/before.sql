-- The last hour before a time in which a model answered.
SELECT toUnixTimestamp(max(time)) AS hour
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage = 'production' AND time < toDateTime({before:Int64}, 'UTC')
HAVING count() > 0
