-- Good and all events of one indicator by deploy and minute, each delivery as
-- often as its weight says. Where an exchange comes in halves, the response is
-- the one that can be judged.
SELECT deploy_hash, toUnixTimestamp(toStartOfMinute(ts)) AS minute, sumIf(requests, good), sum(requests), count()
FROM (
    SELECT deploy_hash, ts, /*requests*/ AS requests, value,
        multiIf({op:String} = 'lt', value < {bound:Float64}, {op:String} = 'lte', value <= {bound:Float64}, {op:String} = 'gt', value > {bound:Float64}, value >= {bound:Float64}) AS good
    FROM (
        SELECT deploy_hash, ts, prediction_id, weight,
            multiIf({kind:String} = 'latency', latency_ms,
                {kind:String} = 'success', toNullable(toFloat64(status = 'ok')),
                mapContains(numbers, {feature:String}), toNullable(numbers[{feature:String}]), NULL) AS value
        FROM predictions
        WHERE model = {model:String} AND stage = 'production' AND half IN ('', 'response')
          AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
          AND arrayAll((k, v) -> segments[k] = v, {keys:Array(String)}, {values:Array(String)})
    )
    WHERE isNotNull(value)
)
GROUP BY deploy_hash, minute
