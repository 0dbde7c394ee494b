-- The newest burn finding of each window, if it is at most 10 minutes old.
SELECT model, slo, deploy_hash, window, argMax(value, at) AS value, argMax(low, at) AS low, argMax(coverage, at) AS coverage,
  argMax(verdict, at) AS verdict, max(at) AS seen
FROM findings
WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND ({model:String} = '' OR model = {model:String})
  AND at > toDateTime({to:Int64}) - INTERVAL 10 MINUTE AND at <= toDateTime({to:Int64})
GROUP BY model, slo, deploy_hash, window
