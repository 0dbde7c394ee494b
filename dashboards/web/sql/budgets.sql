-- What is left of the error budget of each SLO's period, as last said, if that is at
-- most 10 minutes ago.
SELECT model, slo, argMax(findings.value, at) AS left, argMax(verdict, at) AS said, argMax(count, at) AS counted, argMax(assumes, at) AS rests_on
FROM findings
WHERE signal = 'budget' AND measure = 'left' AND ({model:String} = '' OR model = {model:String})
  AND at > toDateTime({to:Int64}) - INTERVAL 10 MINUTE AND at <= toDateTime({to:Int64})
GROUP BY model, slo
