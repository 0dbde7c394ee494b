-- The last thing that was said about a deploy, and since when it serves: what is told of
-- again while it does, as by each replica that starts, began with the first.
WITH told AS (
  SELECT *, lagInFrame(deploy_hash) OVER (PARTITION BY stage ORDER BY ts, deploy_hash ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS former
  FROM deployments
  WHERE model = {model:String} AND ts <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
)
SELECT maxIf(told.ts, told.deploy_hash != former) AS since, toString(told.stage), argMax(version, told.ts), argMax(by, told.ts), argMax(commit, told.ts),
  toString(argMax(dataset_hash, told.ts)), toString(argMax(feature_job, told.ts)), argMax(note, told.ts)
FROM told
WHERE told.deploy_hash = {deploy:String}
GROUP BY told.stage
ORDER BY max(told.ts) DESC
LIMIT 1
