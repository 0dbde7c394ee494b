-- Labels of each stratum by their delay: up to six hours by the bucket of the
-- delay, which ends at 2^((bucket + 1) / 4) seconds, beyond by the hour.
SELECT stratum, if(delay < 58, toInt64(exp2((delay + 1) / 4)), toInt64(toUnixTimestamp(known)) - toInt64(toUnixTimestamp(time))) AS seconds, sum(labelled)
FROM score_cells FINAL
WHERE model = {model:String} AND strata = {strata:String} AND stratum >= 0 AND stage = 'production' AND delay >= 0
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC') AND known < toDateTime({at:Int64}, 'UTC')
GROUP BY stratum, seconds
HAVING sum(labelled) > 0
ORDER BY stratum, seconds
