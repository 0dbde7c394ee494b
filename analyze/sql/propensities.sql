-- Labelled predictions of a window by the chance that they had of a label, to a
-- thousandth of its logarithm, and by the requests that they stand for, as known
-- before an hour. The chance is what the event bore, or by the declared share of
-- exploration, where that is over 0, beside the class that is always let through. How many, the mean of what labels say of them and its variance. That
-- is 1 for one that was right and 0 for another, or of a regression the absolute error:
-- a correction takes out the one that stood before.
SELECT chance, times, toInt64(count()), avg(says), varPop(says)
FROM (
    SELECT prediction_id, sum(labelled) AS gained, toFloat64(argMax(requests, version)) AS times,
        if({errors:UInt8}, sum(miss - former_miss), toFloat64(sum(correct) > 0)) AS says
    FROM (
        SELECT prediction_id, labelled, correct, requests, version,
            ifNotFinite(if(holds = 1, ifNull(abs(truth_value - predicted_value), 0.), 0.), 0.) AS miss,
            ifNotFinite(if(held = 1, ifNull(abs(former_value - predicted_value), 0.), 0.), 0.) AS former_miss
        FROM outcomes FINAL
        WHERE model = {model:String} AND stage = 'production' AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
          AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
          AND outcomes.known < toDateTime64({at:Int64}, 3, 'UTC')
        SETTINGS do_not_merge_across_partitions_select_final = 1
    )
    GROUP BY prediction_id
    HAVING gained > 0
) AS heard
INNER JOIN (
    SELECT prediction_id, argMin(if({share:Float64} > 0, if(predicted = {accepted:String}, 1., {share:Float64}), least(exp10(round(log10(assumeNotNull(propensity)), 3)), 1.)), known) AS chance
    FROM predictions
    WHERE model = {model:String} AND stage = 'production' AND ({share:Float64} > 0 OR propensity > 0 AND propensity <= 1)
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
    GROUP BY prediction_id
) AS asked USING (prediction_id)
GROUP BY chance, times
ORDER BY chance, times
