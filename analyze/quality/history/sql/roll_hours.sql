-- Predictions of some hours, counted: the delivery that was known first, as in
-- the join. Cells that stood there and have none any more get zeros. Last come
-- the marks, in the same statement as what they promise.
INSERT INTO score_cells (model, deploy_hash, stage, strata, time, known, stratum, predicted, bucket, delay, predictions, requests, squares, score,
    labelled, labelled_requests, labelled_squares, correct, correct_requests, correct_squares, loss, loss_squares, source, version)
SELECT
    {model:String}, deploy, on_stage, {strata:String}, fromUnixTimestamp(hour), fromUnixTimestamp(0), of, class, cell, toInt32(-1),
    sum(n), sum(asked), sum(square), sum(total), toInt64(0), toInt64(0), toInt128(0), toInt64(0), toInt64(0), toInt128(0), 0., 0., sum(mark), toUInt64(toUnixTimestamp64Nano(now64(9)))
FROM (
    SELECT
        p.2 AS deploy, p.3 AS on_stage, toUInt32(toUnixTimestamp(toStartOfHour(p.1))) AS hour, p.6 AS of, p.4 AS class, p.7 AS cell,
        toInt64(1) AS n, toInt64(p.8) AS asked, toInt128(p.8) * p.8 AS square, p.5 * p.8 AS total, toUInt64(0) AS mark
    FROM (
        SELECT argMin(
            tuple(ts, toString(deploy_hash), toString(stage), if(length({classes:Array(String)}) = 2, toString(predicted), ''), ifNotFinite(ifNull(x, 0), 0), stratum, bucket, toInt64(/*requests*/)),
            tuple(known, toString(_topic), _partition, _offset)) AS p
        FROM (
            SELECT *, /*stratum*/ AS stratum, if(predicted = '' AND predicted_value IS NOT NULL, predicted_value, score) AS x, /*bucket*/ AS bucket
            FROM predictions
            WHERE model = {model:String} AND stage != 'training' AND half != 'request'
              AND ts >= toDateTime64({first:Int64}, 3, 'UTC') AND ts < toDateTime64({last:Int64}, 3, 'UTC')
              AND has({hours:Array(UInt32)}, toUInt32(toUnixTimestamp(toStartOfHour(ts))))
        )
        GROUP BY prediction_id
    )
    UNION ALL
    SELECT toString(deploy_hash), toString(stage), toUInt32(toUnixTimestamp(time)), stratum, toString(predicted), bucket, toInt64(0), toInt64(0), toInt128(0), 0., toUInt64(0)
    FROM score_cells
    WHERE model = {model:String} AND strata = {strata:String} AND known = toDateTime(0, 'UTC') AND stratum >= 0
      AND time >= toDateTime({first:Int64}, 'UTC') AND time < toDateTime({last:Int64}, 'UTC')
      AND has({hours:Array(UInt32)}, toUInt32(toUnixTimestamp(time)))
    UNION ALL
    SELECT '', '', marked.1, {mark:Int32}, '', toInt32(0), toInt64(0), toInt64(0), toInt128(0), 0., marked.2
    FROM (SELECT arrayJoin(arrayZip({hours:Array(UInt32)}, {sources:Array(UInt64)})) AS marked)
)
GROUP BY deploy, on_stage, hour, of, class, cell
