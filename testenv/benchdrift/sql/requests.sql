-- The requests of each hour: a few less than the rounded buckets may add up to, so
-- that no feature looks absent from some.
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, sum_nano, min, max, hist)
SELECT {model:String}, {deploy:String}, {stage:String}, '', 'requests', '', toDateTime({from:Int64} + number * 3600, 'UTC'),
  toUInt64({events:Float64} * 0.999), toUInt64({events:Float64} * 0.999), 0, 0, 0, (CAST([] AS Array(Int32)), CAST([] AS Array(UInt64)))
FROM numbers({hours:UInt64})
