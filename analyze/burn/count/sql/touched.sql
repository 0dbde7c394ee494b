-- The minutes of event time that predictions which became known in a range lie in.
SELECT toUnixTimestamp(toStartOfMinute(ts)) AS minute
FROM predictions
WHERE model IN {models:Array(String)} AND stage = 'production'
  AND known >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND known <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  AND ts >= fromUnixTimestamp64Milli({oldest:Int64}, 'UTC')
GROUP BY minute ORDER BY minute
