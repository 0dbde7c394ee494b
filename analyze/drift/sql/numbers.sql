-- Requests and numeric series of the window, one row an hour and deploy: adding
-- histograms up is cheaper in Go than here. Counts that fit come in half the
-- bytes; a histogram with one that does not has all of them in the last column.
-- Versions of the grid never merge; the coarse ones are for minutes.
SELECT CAST(series AS String), CAST(grid AS String), count, rows, nulls, nans, infs,
  hist.1, CAST(hist.2 AS Array(UInt32)), if(arrayMax(hist.2) < 4294967296, [], hist.2)
FROM series_hour
WHERE model = {model:String} AND segment = {segment:String} AND stage = {stage:String} AND grid IN ('', 'f8', 'o8')
  AND (series IN ('requests', 'score', 'predicted_value') OR startsWith(series, 'feature:'))
  AND (empty({only:Array(String)}) OR has({only:Array(String)}, series))
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
