-- A sample of predictions by their hash, with what may drive the delay of their
-- label and how many seconds that took; -1 where none is known.
SELECT numbers, categories, segments, score, toString(predicted), if(heard.since = 0, -1, toInt64(heard.since) - toInt64(toUnixTimestamp(ts))) AS waited, toInt64(toUnixTimestamp(ts))
FROM (
    SELECT prediction_id, ts, numbers, categories, segments, score, predicted
    FROM predictions
    WHERE model = {model:String} AND stage = 'production' AND half != 'request'
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
      AND cityHash64(prediction_id) % {classes:UInt64} = 0
    ORDER BY cityHash64(prediction_id)
    LIMIT 1 BY prediction_id
    LIMIT {most:UInt64}
) AS asked
LEFT ANY JOIN (
    SELECT prediction_id, toUnixTimestamp(min(known)) AS since
    FROM outcomes FINAL
    WHERE model = {model:String} AND stage = 'production' AND labelled = 1
      AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
      AND cityHash64(prediction_id) % {classes:UInt64} = 0 AND outcomes.known < toDateTime64({at:Int64}, 3, 'UTC')
    GROUP BY prediction_id
    SETTINGS do_not_merge_across_partitions_select_final = 1
) AS heard USING (prediction_id)
