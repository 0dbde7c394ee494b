-- What the newest look at each deploy and window told before its labels were in, within
-- a day of the newest of all, and how many of the labels were in, of one deploy or of
-- all. What was told longer ago is of deploys that serve no more. The rows of a look are
-- of one time: a measure that it said nothing of has no number any more.
WITH (
  SELECT max(at) FROM findings
  WHERE signal = 'estimated_quality' AND model = {model:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
) AS newest
SELECT toString(signal), toString(deploy_hash), toString(window), toString(measure), at, window_end, value, low, high, count, coverage, toString(verdict), assumes
FROM findings
WHERE (signal = 'estimated_quality' OR signal = 'maturity' AND measure = 'labels_in' AND feature = '') AND model = {model:String}
  AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND at > newest - INTERVAL 1 DAY
QUALIFY at = max(at) OVER (PARTITION BY signal, deploy_hash, window)
ORDER BY signal, deploy_hash, toUInt64OrZero(substring(window, 1, length(window) - 1)) * transform(right(window, 1), ['m', 'h', 'd'], [60, 3600, 86400], 1), measure
LIMIT 1 BY signal, deploy_hash, window, measure
