-- The hour in which most requests of a model failed, in a range of event time.
SELECT toUInt32(toUnixTimestamp(toStartOfHour(ts, 'UTC'))) AS hour, countIf(status = 'ok') AS good, count() AS requests
FROM predictions
WHERE model = {model:String} AND stage = 'production' AND half IN ('', 'response')
  AND ts >= toDateTime({from:Int64}, 'UTC') AND ts < toDateTime({to:Int64}, 'UTC')
GROUP BY hour
ORDER BY requests - good DESC, hour
LIMIT 1
