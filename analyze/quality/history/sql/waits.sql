-- Predictions of each stratum and hour, and how many of them had a label before
-- an hour.
SELECT stratum, toInt64(toUnixTimestamp(time)) AS hour, toString(deploy_hash), sum(predictions), sum(labelled)
FROM score_cells FINAL
WHERE model = {model:String} AND strata = {strata:String} AND stratum >= 0 AND stage = 'production'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC') AND known < toDateTime({at:Int64}, 'UTC')
GROUP BY stratum, hour, deploy_hash
HAVING sum(predictions) > 0
ORDER BY stratum, hour, deploy_hash
