-- What became known, by hour, of the errors of a regression in whole hours of
-- production; the last row is how many predictions there were. An empty deploy is all
-- of them.
SELECT known, sum(errors), toInt64(0), sum(rows), toFloat64(sum(absolute_atto)) / 1e18, toFloat64(sum(squared_atto)) / 1e18, toInt64(0) AS requests
FROM outcome_hours FINAL
WHERE model = {model:String} AND stage = 'production' AND segment = {segment:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY known
UNION ALL
SELECT toDateTime(0, 'UTC'), toInt64(0), toInt64(0), toInt64(0), toFloat64(0), toFloat64(0), toInt64(sum(count))
FROM series_minute
WHERE model = {model:String} AND series = 'requests' AND stage = 'production' AND segment = {segment:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
