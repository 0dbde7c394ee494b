-- Good and all events of every indicator by deploy and minute, each delivery as
-- often as its weight says; with late also by how many seconds after their minute
-- they became known. Where an exchange comes in halves, the response is the one
-- that can be judged. What no indicator needs is not read.
SELECT sli, any(judged.model), deploy_hash, toUnixTimestamp(toStartOfMinute(ts)) AS minute, sumIf(requests, good), sum(requests), count(), late
FROM (
    SELECT sli, model, deploy_hash, ts, requests, late,
        multiIf(/*values*/ NULL) AS value,
        multiIf(op = 'lt', value < bound, op = 'lte', value <= bound, op = 'gt', value > bound, value >= bound) AS good
    FROM (
        SELECT model, deploy_hash, ts, /*columns*/ if(weight = 1, toUInt64(1), /*requests*/) AS requests,
            if({late:Bool}, toInt64(greatest(toUnixTimestamp(toStartOfMinute(known)) - toUnixTimestamp(toStartOfMinute(ts)), 0)), 0) AS late
        FROM predictions
        WHERE model IN {models:Array(String)} AND stage = 'production' AND half IN ('', 'response')
          AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
    ) AS events
    INNER JOIN (
        SELECT d.1 AS sli, d.2 AS model, d.3 AS kind, d.4 AS op, d.5 AS bound, d.6 AS feature, d.7 AS keys, d.8 AS values
        FROM (SELECT arrayJoin(arrayZip({slis:Array(String)}, {of:Array(String)}, {kinds:Array(String)}, {ops:Array(String)}, {bounds:Array(Float64)}, {features:Array(String)},
            {keys:Array(Array(String))}, {values:Array(Array(String))})) AS d)
    ) AS indicators ON events.model = indicators.model
    /*segments*/
) AS judged
WHERE isNotNull(value)
GROUP BY sli, deploy_hash, minute, late
