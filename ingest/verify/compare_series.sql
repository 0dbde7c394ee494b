SELECT
    count() AS keys,
    countIf(bad) AS differing,
    groupArrayIf({examples:UInt8})(concat(model, ' ', deploy_hash, ' ', stage, ' ', segment, ' ', series, ' ', grid, ' ', toString(time), ': raw ', toString(raw), ', stored ', toString(stored)), bad) AS differences
FROM
(
    SELECT
        model, deploy_hash, stage, segment, series, grid, time,
        anyIf(numbers, side = 0) AS raw, anyIf(numbers, side = 1) AS stored,
        count() != 2 OR raw != stored AS bad
    FROM
    (
        SELECT toString(model) AS model, toString(deploy_hash) AS deploy_hash, toString(stage) AS stage, segment, series, grid, time,
            (count, rows, nulls, nans, infs, sum_nano, min, max, hist.1, hist.2) AS numbers, 0 AS side
        FROM ($expected)
        WHERE $counted
        UNION ALL
        SELECT toString(model), toString(deploy_hash), toString(stage), toString(segment), toString(series), toString(grid), time,
            (count, rows, nulls, nans, infs, sum_nano, min, max, hist.1, hist.2), 1
        FROM
        (
            SELECT model, deploy_hash, stage, segment, series, grid, time,
                sum(s.count) AS count, sum(s.rows) AS rows, sum(s.nulls) AS nulls, sum(s.nans) AS nans, sum(s.infs) AS infs,
                sum(s.sum_nano) AS sum_nano, min(s.min) AS min, max(s.max) AS max, sumMap(s.hist) AS hist
            FROM $table AS s
            WHERE model != '' AND time >= {from:DateTime} AND time < {to:DateTime}
            GROUP BY model, deploy_hash, stage, segment, series, grid, time
        )
        WHERE $counted
    )
    GROUP BY model, deploy_hash, stage, segment, series, grid, time
)
