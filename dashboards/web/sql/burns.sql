-- The burn findings of the newest look at each SLO, if it is at most 10 minutes
-- old. One look writes all its rows with one time; a deploy or a "missing" that
-- it no longer speaks of is not current.
WITH newest AS (
  SELECT model, slo, max(at) AS newest_at
  FROM findings
  WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND ({model:String} = '' OR model = {model:String})
    AND at > toDateTime({to:Int64}) - INTERVAL 10 MINUTE AND at <= toDateTime({to:Int64})
  GROUP BY model, slo
)
SELECT model, slo, deploy_hash, window, any(value) AS value, any(low) AS low, any(p) AS noise, any(coverage) AS coverage,
  any(verdict) AS verdict, any(assumes) AS rests_on, max(at) AS seen
FROM findings
WHERE signal = 'burn' AND measure = 'bad_share' AND segment = '' AND ({model:String} = '' OR model = {model:String})
  AND at > toDateTime({to:Int64}) - INTERVAL 10 MINUTE AND (model, slo, at) GLOBAL IN (SELECT model, slo, newest_at FROM newest)
GROUP BY model, slo, deploy_hash, window
