-- The segments of a deploy with most requests in a range.
SELECT segment
FROM series_hour
WHERE model = {model:String} AND series = 'requests' AND segment != '' AND stage = {stage:String} AND deploy_hash = {deploy:String}
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY segment
ORDER BY sum(count) DESC, segment
LIMIT {most:UInt32}
