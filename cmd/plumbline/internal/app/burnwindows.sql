-- The newest bad share of each window of an SLO: the deploy's, and those of all
-- deploys (the period).
SELECT window, value, low, high, findings.total, window_end
FROM findings
WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND model = {model:String} AND slo = {slo:String}
  AND deploy_hash IN ({deploy:String}, '') AND isFinite(findings.value)
  AND at >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') AND at <= fromUnixTimestamp64Milli({now:Int64}, 'UTC')
ORDER BY deploy_hash = {deploy:String} DESC, at DESC
LIMIT 1 BY window
