-- When labels came, in three counts: 0 by the hour in which they became known, and
-- as known before an hour, 1 by their delay in seconds and 2 by the hour of their
-- request.
SELECT what.1 AS kind, what.2 AS place, sum(gained)
FROM (
    SELECT toInt64(toUnixTimestamp(known)) AS heard, toInt64(toUnixTimestamp(toStartOfHour(time))) AS asked, sum(cells.labelled) AS gained
    FROM outcome_cells AS cells FINAL
    WHERE model = {model:String} AND segment = '' AND stage = 'production'
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC') AND known < toDateTime({to:Int64}, 'UTC')
    GROUP BY heard, asked
    HAVING gained > 0
)
ARRAY JOIN [(toUInt8(0), heard), (toUInt8(1), heard - asked), (toUInt8(2), asked)] AS what
WHERE kind = 0 OR heard < {at:Int64} AND asked < {at:Int64}
GROUP BY kind, place
ORDER BY kind, place
