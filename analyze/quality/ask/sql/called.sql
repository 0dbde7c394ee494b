-- Requests and those called positive by segment, from the hourly rollups.
SELECT segment, sum(all_requests), sum(called)
FROM (
    SELECT toString(segment) AS segment, toInt64(sum(count)) AS all_requests, toInt64(0) AS called
    FROM categories_hour
    WHERE model = {model:String} AND series = 'predicted' AND kind = 0 AND stage = {stage:String} AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
      AND startsWith(segment, {key:String}) AND position(segment, ',') = 0
      AND time >= toStartOfHour(parseDateTimeBestEffort({since:String}, 'UTC')) AND time < parseDateTimeBestEffort({until:String}, 'UTC')
    GROUP BY segment
    UNION ALL
    SELECT toString(segment), toInt64(0), toInt64(sum(count))
    FROM categories_hour
    WHERE model = {model:String} AND series = 'predicted' AND kind = 0 AND value = {positive:String} AND stage = {stage:String} AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
      AND startsWith(segment, {key:String}) AND position(segment, ',') = 0
      AND time >= toStartOfHour(parseDateTimeBestEffort({since:String}, 'UTC')) AND time < parseDateTimeBestEffort({until:String}, 'UTC')
    GROUP BY segment
)
GROUP BY segment
ORDER BY segment
