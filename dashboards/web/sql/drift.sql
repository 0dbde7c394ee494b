-- The newest PSI of each feature against training, at most 10 minutes old, of each
-- deploy and stage: breaches first, then what moved most.
SELECT feature, deploy_hash, stage, window, argMax(findings.value, at) AS value, argMax(findings.verdict, at) AS verdict,
  argMax(count, at) AS events, max(at) AS seen
FROM findings
WHERE signal = 'drift' AND measure = 'psi' AND reference = 'training' AND segment = '' AND model = {model:String}
  AND at > toDateTime({to:Int64}) - INTERVAL 10 MINUTE AND at <= toDateTime({to:Int64})
GROUP BY feature, deploy_hash, stage, window
ORDER BY verdict = 'breach' DESC, isFinite(value) DESC, value DESC, feature
LIMIT 41
