-- The windows in breach that an incident stood on: what was found of its
-- objective shortly before its first alert fired.
SELECT DISTINCT toString(window), window_end
FROM findings
WHERE signal = 'burn' AND model = {model:String} AND slo = {slo:String} AND deploy_hash = {deploy:String} AND verdict = 'breach'
  AND at > toDateTime64({opened:Int64}, 3, 'UTC') - INTERVAL 10 MINUTE AND at <= toDateTime64({opened:Int64}, 3, 'UTC') + INTERVAL 1 MINUTE
