-- Predictions by deploy, and those whose label came in time, by the minute in which
-- it fell due: the windows of a burn rate end now.
SELECT deploy_hash, minute, least(sum(part.good), sum(part.total)), sum(part.total), sum(part.total)
FROM (
    SELECT deploy_hash, toUnixTimestamp(toStartOfMinute(ts + toIntervalSecond({within:Int64}))) AS minute, toUInt64(0) AS good, uniqExact(prediction_id) AS total
    FROM predictions
    WHERE model = {model:String} AND stage = 'production' AND half IN ('', 'response')
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') - toIntervalSecond({within:Int64}) AND ts < toDateTime64({to:Int64}, 3, 'UTC') - toIntervalSecond({within:Int64})
    GROUP BY deploy_hash, minute
    UNION ALL
    SELECT deploy_hash, toUnixTimestamp(toStartOfMinute(ts + toIntervalSecond({within:Int64}))) AS minute, uniqExact(prediction_id), toUInt64(0)
    FROM outcomes FINAL
    WHERE model = {model:String} AND stage = 'production' AND labelled > 0
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') - toIntervalSecond({within:Int64}) AND ts < toDateTime64({to:Int64}, 3, 'UTC') - toIntervalSecond({within:Int64})
      AND known <= ts + toIntervalSecond({within:Int64})
    GROUP BY deploy_hash, minute
) AS part
GROUP BY deploy_hash, minute
HAVING sum(part.total) > 0
