-- Labelled predictions of a window by the chance that they had of a label, to
-- a thousandth of its logarithm, as known before an hour: those that were right,
-- the requests that they stand for and the sum of the squares of that, and the same
-- of those that were wrong.
SELECT chance,
    toInt64(countIf(hits > 0)), toFloat64(sumIf(times, hits > 0)), sumIf(times * times, hits > 0),
    toInt64(countIf(hits <= 0)), toFloat64(sumIf(times, hits <= 0)), sumIf(times * times, hits <= 0)
FROM (
    SELECT prediction_id, sum(correct) AS hits, sum(labelled) AS gained, toFloat64(argMax(requests, version)) AS times
    FROM outcomes FINAL
    WHERE model = {model:String} AND stage = 'production' AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
      AND outcomes.known < toDateTime64({at:Int64}, 3, 'UTC')
    GROUP BY prediction_id
    HAVING gained > 0
    SETTINGS do_not_merge_across_partitions_select_final = 1
) AS heard
INNER JOIN (
    SELECT prediction_id, argMin(least(exp10(round(log10(assumeNotNull(propensity)), 3)), 1), known) AS chance
    FROM predictions
    WHERE model = {model:String} AND stage = 'production' AND propensity > 0 AND propensity <= 1
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
    GROUP BY prediction_id
) AS asked USING (prediction_id)
GROUP BY chance
ORDER BY chance
