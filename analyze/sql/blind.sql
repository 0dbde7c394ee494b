-- Whether a model was blind when that was last looked at, and when that was.
SELECT findings.value, at
FROM findings
WHERE signal = 'label_arrival' AND measure = 'blind' AND model = {model:String} AND stage = 'production'
  AND at >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') AND at <= fromUnixTimestamp64Milli({to:Int64}, 'UTC') AND isFinite(findings.value)
ORDER BY at DESC
LIMIT 1
