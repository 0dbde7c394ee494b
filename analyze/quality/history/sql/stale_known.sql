-- Closed hours in which labels became known that were not counted yet, or whose
-- cells were written again since: the sum of their versions only grows. It has the
-- highest bit where predictions stand for several requests, as in stale_hours.sql.
SELECT hour, if(sampled, bitOr(n, bitShiftLeft(toUInt64(1), 63)), n) AS wanted, n
FROM (
    SELECT toUnixTimestamp(known) AS hour, sum(version) AS n, max(squares != outcome_cells.rows) AS sampled, toUnixTimestamp(min(time)) AS oldest
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
WHERE n > 0 AND done.source != wanted AND (done.source != n OR oldest >= {kept:Int64})
ORDER BY hour DESC
LIMIT {limit:Int64}
