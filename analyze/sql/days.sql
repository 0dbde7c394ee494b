-- Requests of a model's training set, under day 0, and of each day of production.
SELECT toUInt64(if(stage = 'training', 0, intDiv(toUnixTimestamp(time), 86400))) AS day, sum(count)
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment = ''
  AND (stage = 'training' OR stage = 'production' AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC'))
GROUP BY day
