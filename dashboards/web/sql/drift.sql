-- The newest PSI of each feature against training, at most 10 minutes old, for
-- the deploy that was compared last.
SELECT feature, deploy_hash, window, argMax(value, at) AS value, argMax(verdict, at) AS verdict,
  argMax(count, at) AS events, max(at) AS seen
FROM findings
WHERE signal = 'drift' AND measure = 'psi' AND reference = 'training' AND segment = '' AND model = {model:String}
  AND at > toDateTime({to:Int64}) - INTERVAL 10 MINUTE AND at <= toDateTime({to:Int64})
GROUP BY feature, deploy_hash, window
ORDER BY isFinite(value) DESC, value DESC, feature
LIMIT 40
