-- Which statuses a deploy's requests failed with in a window, the most frequent first,
-- with their share of all of its requests and their first minute.
SELECT status, share, first
FROM (
    SELECT toString(predictions.status) AS status, sum(greatest(weight, 1.)) AS requests, requests / sum(requests) OVER () AS share, min(ts) AS first
    FROM predictions
    WHERE model = {model:String} AND stage = 'production' AND half IN ('', 'response') AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
      AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND ts < fromUnixTimestamp64Milli({to:Int64}, 'UTC')
    GROUP BY status
)
WHERE status != 'ok'
ORDER BY requests DESC, status
LIMIT 3
