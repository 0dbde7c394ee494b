-- Requests and numeric series of the window, one row an hour and deploy: adding
-- histograms up is cheaper in Go than here. Counts come in the least bytes that
-- all of a histogram fit in: one of the three columns holds them, and where it is
-- not the first, that has what is left of them.
-- Versions of the grid never merge; the coarse ones are for minutes.
SELECT CAST(series AS String), CAST(grid AS String), count, rows, nulls, nans, infs, CAST(sum_nano AS UInt64),
  hist.1, CAST(hist.2 AS Array(UInt16)), if(arrayMax(hist.2) < 65536, [], CAST(hist.2 AS Array(UInt32))),
  if(arrayMax(hist.2) < 4294967296, [], hist.2)
FROM series_hour
WHERE model = {model:String} AND segment = {segment:String} AND stage = {stage:String} AND grid IN ('', 'f8', 'o8')
  AND (series IN ('requests', 'score', 'predicted_value') OR startsWith(series, 'feature:'))
  AND (empty({only:Array(String)}) OR has({only:Array(String)}, series))
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
