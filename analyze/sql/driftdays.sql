-- Which days were looked at, each with how many requests it and the training set
-- had, in the newest version of it.
SELECT end, newest, settings, requests, training
FROM (
  SELECT end, max(version) AS newest, argMax(settings, version) AS settings,
    argMaxIf(events, version, reference = '') AS requests, argMaxIf(events, version, reference = 'training') AS training
  FROM drift_days
  WHERE model = {model:String} AND series = 'requests' AND end > fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND end <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
  GROUP BY end)
ORDER BY end
