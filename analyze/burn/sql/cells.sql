-- Requests and labels by deploy and minute, as known now. An empty deploy means
-- every deploy.
SELECT deploy_hash, groupArray(toUnixTimestamp(time)), groupArray(requests), groupArray(labelled), groupArray(correct), groupArray(counted)
FROM (
    SELECT deploy_hash, time, sum(part.requests) AS requests, sum(part.labelled) AS labelled, sum(part.correct) AS correct, sum(part.counted) AS counted
    FROM (
        SELECT deploy_hash, time, toInt64(count) AS requests, toInt64(0) AS labelled, toInt64(0) AS correct, toInt64(0) AS counted
        FROM series_minute
        WHERE model = {model:String} AND series = 'requests' AND segment = {segment:String} AND stage = 'production'
          AND time >= toDateTime({from:Int64}, 'UTC') AND time <= toDateTime({to:Int64}, 'UTC')
        UNION ALL
        SELECT deploy_hash, time, toInt64(0), cells.labelled, cells.correct, cells.rows
        FROM outcome_cells AS cells FINAL
        WHERE model = {model:String} AND segment = {segment:String} AND stage = 'production'
          AND time >= toDateTime({from:Int64}, 'UTC') AND time <= toDateTime({to:Int64}, 'UTC')
          AND known <= fromUnixTimestamp64Milli({known:Int64}, 'UTC')
    ) AS part
    WHERE {deploy:String} = '' OR deploy_hash = {deploy:String}
    GROUP BY deploy_hash, time
)
GROUP BY deploy_hash
HAVING sum(requests) > 0
