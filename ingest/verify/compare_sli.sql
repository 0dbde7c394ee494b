-- The minutes of one indicator, counted from raw rows and as stored. A minute is
-- left out as open where a batch that was completed after the indicator was counted
-- last has events around it, and as late where an event came so late that it may or
-- may not have been counted.
WITH (
    SELECT groupArray((if(ts_max < '1980-01-01', toDateTime(0, 'UTC'), toStartOfMinute(ts_min)), if(ts_max < '1980-01-01', toDateTime('2100-01-01', 'UTC'), toStartOfMinute(ts_max))))
    FROM batches FINAL
    WHERE `table` = 'predictions' AND stored > fromUnixTimestamp64Milli({version:Int64}, 'UTC')
) AS uncounted
SELECT
    countIf(NOT open AND NOT late) AS keys,
    countIf(bad AND NOT open AND NOT late) AS differing,
    countIf(open) AS still,
    countIf(late AND NOT open) AS overdue,
    groupArrayIf({examples:UInt8})(concat({sli:String}, ' ', deploy, ' ', toString(minute), ': raw ', toString(raw), ', stored ', toString(stored)), bad AND NOT open AND NOT late) AS differences
FROM
(
    SELECT
        deploy, minute,
        anyIf(numbers, side = 0) AS raw, anyIf(numbers, side = 1) AS stored,
        count() != 2 OR raw != stored AS bad,
        max(behind) AS late,
        arrayExists(b -> minute >= b.1 AND minute <= b.2, uncounted) AS open
    FROM
    (
        SELECT deploy, minute, (toUInt64(sumIf(n, good)), toUInt64(sum(n)), count()) AS numbers, max(behind) AS behind, 0 AS side
        FROM
        (
            SELECT toString(deploy_hash) AS deploy, toDateTime(toStartOfMinute(ts), 'UTC') AS minute, $requests AS n, $good AS good, known > ts + toIntervalHour({late:UInt16}) AS behind
            FROM predictions
            WHERE model = {model:String} AND stage = 'production' AND half IN ('', 'response') AND $judged
              AND ts >= toDateTime({first:Int64}, 'UTC') AND ts >= {from:DateTime} AND ts < {to:DateTime}
        )
        GROUP BY deploy, minute
        UNION ALL
        SELECT toString(deploy_hash), toDateTime(time, 'UTC'), (s.good, s.total, s.rows), false, 1
        FROM sli AS s FINAL
        WHERE sli = {sli:String} AND time >= {from:DateTime} AND time < {to:DateTime}
    )
    GROUP BY deploy, minute
)
