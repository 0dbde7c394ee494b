-- The windows in breach that an incident stood on: what was found of its
-- objective shortly before its first alert fired, by labels if they said so, and
-- else by estimates.
SELECT name, window_end
FROM (SELECT name, window_end, guessed, min(guessed) OVER () AS least
FROM (SELECT DISTINCT toString(window) AS name, window_end, measure = 'estimated_bad_share' AS guessed
FROM findings
WHERE signal = 'burn' AND measure IN ('bad_share', 'estimated_bad_share') AND model = {model:String} AND slo = {slo:String} AND deploy_hash = {deploy:String} AND verdict = 'breach'
  AND at > toDateTime64({opened:Int64}, 3, 'UTC') - INTERVAL 10 MINUTE AND at <= toDateTime64({opened:Int64}, 3, 'UTC') + INTERVAL 1 MINUTE))
WHERE guessed = least
