-- Requests of a window, and the deliveries they were counted from.
SELECT sum(count), sum(rows)
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage = {stage:String}
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
