-- What was observed of a model in a range of event time.
SELECT count(), countIf(status = 'ok') / count(), countIf(isNotNull(latency_ms)),
    ifNull(quantile(0.95)(latency_ms), 0), ifNull(quantile(0.99)(latency_ms), 0), toUInt32(toUnixTimestamp(min(ts))), countIf(status = 'ok')
FROM predictions
WHERE model = {model:String} AND stage = 'production' AND half IN ('', 'response')
  AND ts >= toDateTime({from:Int64}, 'UTC') AND ts < toDateTime({to:Int64}, 'UTC')
