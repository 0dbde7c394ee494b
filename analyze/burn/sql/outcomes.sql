-- Requests and labels by minute of every deploy, with the labels whose Kafka
-- timestamp is at or before an instant, to the millisecond.
SELECT deploy_hash, groupArray(toUnixTimestamp(time)), groupArray(requests), groupArray(labelled), groupArray(correct), groupArray(counted)
FROM (
    SELECT deploy_hash, time, sum(part.requests) AS requests, sum(part.labelled) AS labelled, sum(part.correct) AS correct, sum(part.counted) AS counted
    FROM (
        SELECT deploy_hash, time, toInt64(count) AS requests, toInt64(0) AS labelled, toInt64(0) AS correct, toInt64(0) AS counted
        FROM series_minute
        WHERE model = {model:String} AND series = 'requests' AND segment = {segment:String} AND stage = 'production'
          AND time >= toDateTime({from:Int64}, 'UTC') AND time <= toDateTime({to:Int64}, 'UTC')
        UNION ALL
        SELECT deploy_hash, toDateTime(toStartOfMinute(ts), 'UTC'), toInt64(0), row.labelled * toInt64(row.requests), row.correct * toInt64(row.requests), toInt64(row.labelled)
        FROM outcomes AS row FINAL
        WHERE model = {model:String} AND stage = 'production' AND ({segment:String} = '' OR has(segments, {segment:String}))
          AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC') + toIntervalMinute(1)
          AND known <= fromUnixTimestamp64Milli({known:Int64}, 'UTC')
        SETTINGS do_not_merge_across_partitions_select_final = 1
    ) AS part
    GROUP BY deploy_hash, time
)
GROUP BY deploy_hash
HAVING sum(requests) > 0
