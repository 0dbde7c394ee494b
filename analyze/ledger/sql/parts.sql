-- What each part of a composite made up of the windows in breach that an incident
-- stood on, the greatest first.
SELECT part, sum(bad) AS burnt
FROM (
    SELECT toString(reference) AS part, argMax(value, at) AS bad
    FROM findings
    WHERE signal = 'burn' AND measure = 'bad_share_of_part' AND model = {model:String} AND slo = {slo:String} AND deploy_hash = {deploy:String} AND verdict = 'breach'
      AND at > toDateTime64({opened:Int64}, 3, 'UTC') - INTERVAL 10 MINUTE AND at <= toDateTime64({opened:Int64}, 3, 'UTC') + INTERVAL 1 MINUTE
    GROUP BY reference, window
)
GROUP BY part ORDER BY burnt DESC, part
