-- One more event of the first numeric feature, which came in late for an hour.
INSERT INTO series_hour (model, deploy_hash, stage, segment, series, grid, time, count, rows, sum_nano, min, max, hist)
SELECT {model:String}, {deploy:String}, {stage:String}, '', 'feature:n00', 'f8', toDateTime({from:Int64}, 'UTC'),
  1, 1, 0, 0, 0, (CAST([0] AS Array(Int32)), CAST([1] AS Array(UInt64)))
