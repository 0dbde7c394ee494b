-- Closed hours of predictions that were not counted yet, or of which more has
-- come since: the requests that the rollup has of the hour are the fingerprint.
-- They are read before the predictions are, so what comes in between has the hour
-- counted again.
SELECT hour, wanted
FROM (
    SELECT toUnixTimestamp(time) AS hour, sum(count) AS wanted
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
WHERE wanted > 0 AND done.source != wanted
ORDER BY hour DESC
LIMIT {limit:Int64}
