-- The readings of every figure over one window and the same hours of the weeks
-- before it: week 0 is the window. Of several readings of one instant, the one
-- that became known last counts: a correction, or a repeated delivery.
SELECT
    toString(name), toString(segment), toUInt16(week), avg(reading) AS value, count() AS readings, toUInt32(uniqExact(toStartOfHour(ts))) AS hours
FROM
(
    SELECT name, segment, ts, any(intDiv(toInt64({end:Int64}) * 1000 - 1 - toUnixTimestamp64Milli(ts), 604800000)) AS week,
        argMax(value, (known, _topic, _partition, _offset)) AS reading
    FROM kpis
    WHERE model = {model:String}
      AND ts >= toDateTime64({end:Int64} - {weeks:Int64} * 604800 - {window:Int64}, 3, 'UTC') AND ts < toDateTime64({end:Int64}, 3, 'UTC')
      AND (toInt64({end:Int64}) * 1000 - 1 - toUnixTimestamp64Milli(ts)) % 604800000 < {window:Int64} * 1000
    GROUP BY name, segment, ts
)
GROUP BY name, segment, week
ORDER BY name, segment, week
