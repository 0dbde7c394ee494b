-- How many predictions of a model got a label, and how long nine of ten labels
-- took, in seconds.
SELECT count(), toInt64(greatest(0, ifNotFinite(quantileExact(0.9)(dateDiff('second', ts, known)), 0)))
FROM outcomes FINAL
WHERE model = {model:String} AND stage = 'production' AND labelled = 1
  AND ts >= toDateTime64({from:Int64}, 3, 'UTC') AND ts < toDateTime64({to:Int64}, 3, 'UTC')
