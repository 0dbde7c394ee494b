-- Deliveries of one hour and how many of them repeat an identifier of that hour.
-- Of a busy hour only the identifiers of one hash class are looked at, each with
-- all of its deliveries, so the share stays unbiased.
SELECT deploy_hash, stage, count() AS deliveries, toUInt64(deliveries - uniqExact(prediction_id, half)) AS repeats
FROM predictions
WHERE model = {model:String} AND stage != 'training'
  AND ts >= fromUnixTimestamp64Milli({from:Int64}) AND ts < fromUnixTimestamp64Milli({to:Int64})
  AND cityHash64(prediction_id) % {classes:UInt64} = 0
GROUP BY deploy_hash, stage
ORDER BY deploy_hash, stage
