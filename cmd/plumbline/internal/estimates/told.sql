-- What was told last of each deploy, window and measure before its labels were in,
-- within a day of the newest, and how many of the labels were in, of one deploy or of
-- all. What was told longer ago is of deploys that serve no more.
WITH (
  SELECT max(at) FROM findings
  WHERE signal = 'estimated_quality' AND model = {model:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
) AS newest
SELECT toString(signal), toString(deploy_hash), toString(window), toString(measure), max(findings.at), argMax(window_end, findings.at),
  argMax(findings.value, findings.at), argMax(low, findings.at), argMax(high, findings.at), argMax(findings.count, findings.at),
  argMax(coverage, findings.at), toString(argMax(verdict, findings.at)), argMax(assumes, findings.at)
FROM findings
WHERE (signal = 'estimated_quality' OR signal = 'maturity' AND measure = 'labels_in' AND feature = '') AND model = {model:String}
  AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND at > newest - INTERVAL 1 DAY
GROUP BY signal, deploy_hash, window, measure
ORDER BY signal, deploy_hash, toUInt64OrZero(substring(window, 1, length(window) - 1)) * transform(right(window, 1), ['m', 'h', 'd'], [60, 3600, 86400], 1), measure
