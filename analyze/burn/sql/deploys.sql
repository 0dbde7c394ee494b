-- The deploys that answered in a range.
SELECT deploy_hash
FROM series_minute
WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage = 'production'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time <= toDateTime({to:Int64}, 'UTC')
GROUP BY deploy_hash ORDER BY deploy_hash
