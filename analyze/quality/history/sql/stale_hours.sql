-- Closed hours of predictions that were not counted yet, or of which more has
-- come since: the requests that the rollup has of the hour are the fingerprint,
-- with the highest bit where they are more than its deliveries. Such hours of
-- versions that did not weigh predictions lack the bit; they are counted again
-- where raw rows are kept for as long, and stand as they are beyond.
-- Fingerprints are read before the predictions are, so what comes in between has
-- the hour counted again.
SELECT hour, if(sampled, bitOr(n, bitShiftLeft(toUInt64(1), 63)), n) AS wanted, deliveries
FROM (
    SELECT toUnixTimestamp(time) AS hour, sum(count) AS n, sum(rows) AS deliveries, n != deliveries AS sampled
    FROM series_hour
    WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage != 'training'
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
    GROUP BY hour
) AS wanted
LEFT JOIN (
    SELECT toUnixTimestamp(time) AS hour, source
    FROM score_cells FINAL
    WHERE model = {model:String} AND strata = {strata:String} AND stratum = {mark:Int32}
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
) AS done USING (hour)
WHERE n > 0 AND done.source != wanted AND (done.source != n OR hour >= {kept:Int64})
ORDER BY hour DESC
LIMIT {limit:Int64}
