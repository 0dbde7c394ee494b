-- What became known, by hour, of the production predictions of a window; the last
-- row is how many there were. An empty deploy is all of them.
SELECT known, sum(labelled), sum(correct), sum(rows), toFloat64(0), toFloat64(0), toInt64(0) AS requests
FROM outcome_cells FINAL
WHERE model = {model:String} AND stage = 'production' AND segment = {segment:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY known
UNION ALL
SELECT toDateTime(0, 'UTC'), toInt64(0), toInt64(0), toInt64(0), toFloat64(0), toFloat64(0), toInt64(sum(count))
FROM series_minute
WHERE model = {model:String} AND series = 'requests' AND stage = 'production' AND segment = {segment:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
