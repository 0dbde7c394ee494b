-- The partitions by which a deploy's predictions came.
SELECT DISTINCT toString(_topic), _partition
FROM predictions
WHERE model = {model:String} AND deploy_hash = {deploy:String} AND stage = 'production' AND half IN ('', 'response')
  AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
