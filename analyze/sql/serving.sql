-- Who served when: every deploy with requests in the range, by hour.
SELECT model, deploy_hash, stage, min(time), max(time), sum(count)
FROM series_hour
WHERE series = 'requests' AND segment = '' AND stage != 'training' AND model != ''
  AND ({model:String} = '' OR model = {model:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time <= toDateTime({to:Int64}, 'UTC')
GROUP BY model, deploy_hash, stage
HAVING sum(count) > 0
ORDER BY model, deploy_hash, stage
