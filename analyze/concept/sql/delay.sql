-- How many predictions of a model got a label, and how long nine of ten labels
-- took, in seconds. The quantile is one of a sample of at most 8192 labels,
-- chosen by the hash of the prediction: memory is bounded, and the same labels
-- always give the same.
SELECT count(), toInt64(greatest(0, ifNotFinite(quantileDeterministic(0.9)(dateDiff('second', ts, known), cityHash64(prediction_id)), 0)))
FROM outcomes FINAL
WHERE model = {model:String} AND stage = 'production' AND labelled = 1
  AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
SETTINGS do_not_merge_across_partitions_select_final = 1
