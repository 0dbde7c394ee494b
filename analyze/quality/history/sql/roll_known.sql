-- Outcomes that became known in some hours, counted. The cells of those hours
-- name the minutes to look into, so that nothing else is read. Cells that stood
-- there and have none any more get zeros; the marks come last.
INSERT INTO score_cells (model, deploy_hash, stage, strata, time, known, stratum, predicted, bucket, delay, predictions, requests, squares, score,
    labelled, labelled_requests, labelled_squares, correct, correct_requests, correct_squares, loss, loss_squares, source, version)
WITH minutes AS (
    SELECT DISTINCT time AS minute
    FROM outcome_cells
    WHERE model = {model:String} AND segment = '' AND time >= toDateTime({from:Int64}, 'UTC')
      AND has({hours:Array(UInt32)}, toUInt32(toUnixTimestamp(known)))
),
changes AS (
    SELECT
        prediction_id, ts, toString(deploy_hash) AS deploy, toString(stage) AS on_stage, toString(predicted) AS predicted, score, predicted_value,
        if(predicted = '' AND predicted_value IS NOT NULL, predicted_value, score) AS x,
        toUInt32(toUnixTimestamp(toStartOfHour(ts))) AS hour, toUInt32(toUnixTimestamp(toStartOfHour(outcomes.known))) AS heard,
        -- Beyond six hours the hours say it.
        toInt32(least(floor(4 * log2(greatest(dateDiff('second', ts, outcomes.known), 1))), 58)) AS waited,
        labelled AS gained, correct AS hits, toInt64(requests) AS times,
        -- Of a number, a change takes the error out that stood before, and puts in the
        -- one that stands now: a label may be corrected or withdrawn.
        predicted = '' AND predicted_value IS NOT NULL AS of_number,
        ifNotFinite(if(of_number AND holds = 1, ifNull(abs(truth_value - predicted_value), 0.), 0.), 0.) AS miss,
        ifNotFinite(if(of_number AND held = 1, ifNull(abs(former_value - predicted_value), 0.), 0.), 0.) AS former_miss
    FROM outcomes FINAL
    WHERE model = {model:String} AND stage != 'training' AND ts >= toDateTime64({from:Int64}, 3, 'UTC')
      AND toDate(ts) GLOBAL IN (SELECT toDate(minute) FROM minutes)
      AND toStartOfMinute(ts) GLOBAL IN (SELECT minute FROM minutes)
      AND has({hours:Array(UInt32)}, toUInt32(toUnixTimestamp(toStartOfHour(outcomes.known))))
      AND (labelled != 0 OR correct != 0 OR of_number AND NOT (former_value <=> truth_value))
    SETTINGS do_not_merge_across_partitions_select_final = 1
)
SELECT
    {model:String}, deploy, on_stage, {strata:String}, fromUnixTimestamp(hour), fromUnixTimestamp(heard), of, class, cell, waited,
    toInt64(0), toInt64(0), toInt128(0), 0., sum(gained), sum(gained * times), sum(toInt128(gained) * times * times),
    sum(hits), sum(hits * times), sum(toInt128(hits) * times * times), sum(miss * times), sum(square * times), sum(mark), toUInt64(toUnixTimestamp64Nano(now64(9)))
FROM (
    SELECT
        deploy, on_stage, hour, heard, /*of*/ AS of, if(length({classes:Array(String)}) = 2, predicted, '') AS class, /*bucket*/ AS cell, waited,
        toInt64(changes.gained) AS gained, toInt64(hits) AS hits, times, changes.miss - former_miss AS miss, changes.miss * changes.miss - former_miss * former_miss AS square, toUInt64(0) AS mark
    FROM changes
    /*features*/
    UNION ALL
    SELECT toString(deploy_hash), toString(stage), toUInt32(toUnixTimestamp(time)), toUInt32(toUnixTimestamp(known)), stratum, toString(predicted), bucket, delay,
        toInt64(0), toInt64(0), toInt64(0), 0., 0., toUInt64(0)
    FROM score_cells
    WHERE model = {model:String} AND strata = {strata:String} AND stratum >= 0 AND time >= toDateTime({from:Int64}, 'UTC')
      AND has({hours:Array(UInt32)}, toUInt32(toUnixTimestamp(known)))
    UNION ALL
    SELECT '', '', marked.1, marked.1, {mark:Int32}, '', toInt32(0), toInt32(-1), toInt64(0), toInt64(0), toInt64(0), 0., 0., marked.2
    FROM (SELECT arrayJoin(arrayZip({hours:Array(UInt32)}, {sources:Array(UInt64)})) AS marked)
)
GROUP BY deploy, on_stage, hour, heard, of, class, cell, waited
