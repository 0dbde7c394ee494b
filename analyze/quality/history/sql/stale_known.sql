-- Closed hours in which labels became known that were not counted yet, or whose
-- cells were written again since: the sum of their versions only grows.
SELECT hour, wanted
FROM (
    SELECT toUnixTimestamp(known) AS hour, sum(version) AS wanted
    FROM outcome_cells FINAL
    WHERE model = {model:String} AND segment = ''
      AND time >= toDateTime({from:Int64}, 'UTC') AND known >= toDateTime({from:Int64}, 'UTC') AND known < toDateTime({to:Int64}, 'UTC')
    GROUP BY hour
) AS wanted
LEFT JOIN (
    SELECT toUnixTimestamp(time) AS hour, source
    FROM score_cells FINAL
    WHERE model = {model:String} AND strata = {strata:String} AND stratum = {mark:Int32}
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
) AS done USING (hour)
WHERE wanted > 0 AND done.source != wanted
ORDER BY hour DESC
LIMIT {limit:Int64}
