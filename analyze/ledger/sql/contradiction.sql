-- The windows of a deploy whose labels contradicted what scores promised when its
-- ticket opened, the newest of each length: at most as long before as the ticket
-- outlasts the last of them.
SELECT toString(window), window_end, at, value
FROM findings
WHERE signal = 'concept_drift' AND measure = 'estimate_gap' AND verdict = 'breach' AND stage = 'production' AND segment = ''
  AND model = {model:String} AND deploy_hash = {deploy:String} AND isFinite(value)
  AND at > toDateTime64({opened:Int64}, 3, 'UTC') - INTERVAL 1 DAY AND at <= toDateTime64({opened:Int64}, 3, 'UTC') + INTERVAL 1 MINUTE
ORDER BY at DESC
LIMIT 1 BY window
