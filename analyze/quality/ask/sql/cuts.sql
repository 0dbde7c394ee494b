-- The numbers of each feature in the hours of the window, on the grid, the most
-- frequent features first.
SELECT substring(series, 9), (sumMap(hist.1, hist.2) AS merged).1, merged.2
FROM series_hour
WHERE model = {model:String} AND startsWith(series, 'feature:') AND grid = 'f8' AND stage = {stage:String} AND segment = {segment:String}
  AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
  AND (empty({features:Array(String)}) OR has({features:Array(String)}, substring(series, 9)))
  AND time >= toStartOfHour(parseDateTimeBestEffort({since:String}, 'UTC')) AND time < parseDateTimeBestEffort({until:String}, 'UTC')
GROUP BY series
ORDER BY sum(count) DESC, series
LIMIT 50
