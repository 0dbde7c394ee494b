-- Numeric features of a window, merged over its hours. Only the full grid:
-- versions never merge.
SELECT series, sum(nulls), sum(nans), sum(infs), toFloat64(sum(sum_nano)) / 1e9, min(min), max(max),
  (sumMap(hist) AS merged).1, merged.2
FROM series_hour
WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND stage = {stage:String} AND grid = 'f8'
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
GROUP BY series
