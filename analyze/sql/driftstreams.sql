-- What was known of each stream after each of the days.
SELECT segment, series, reference, measure, end, version, events, value, null_mean, p, evidence, threshold, status, assumes, state
FROM drift_days FINAL
WHERE model = {model:String} AND series != 'requests' AND end > fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND end <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')
ORDER BY end
