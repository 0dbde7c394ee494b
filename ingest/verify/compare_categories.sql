SELECT
    count() AS keys,
    countIf(bad) AS differing,
    groupArrayIf({examples:UInt8})(concat(model, ' ', deploy_hash, ' ', stage, ' ', segment, ' ', series, ' ', toString(time), ': raw ', toString(raw), ', stored ', toString(stored), ', of which other ', toString(other)), bad) AS differences
FROM
(
    -- Where a batch met too many values, the values in "other" are unknown and
    -- the rest can only be bounded: their sum must agree.
    SELECT
        model, deploy_hash, stage, segment, series, time,
        (sum(e), sum(er)) AS raw, (sum(s), sum(sr)) AS stored, sumIf(s, kind = 2) AS other,
        raw != stored OR countIf(kind = 1 AND (e != s OR er != sr)) > 0
            OR if(other > 0, countIf(kind = 0 AND (s > e OR sr > er)), countIf(kind = 0 AND (s != e OR sr != er))) > 0 AS bad
    FROM
    (
        SELECT model, deploy_hash, stage, segment, series, time, value, kind,
            sumIf(count, side = 0) AS e, sumIf(count, side = 1) AS s, sumIf(rows, side = 0) AS er, sumIf(rows, side = 1) AS sr
        FROM
        (
            SELECT toString(model) AS model, toString(deploy_hash) AS deploy_hash, toString(stage) AS stage, segment, series, time, value, kind, count, rows, 0 AS side
            FROM ($expected)
            WHERE $counted
            UNION ALL
            SELECT toString(model), toString(deploy_hash), toString(stage), toString(segment), toString(series), time, value, kind, count, rows, 1
            FROM $table
            WHERE model != '' AND time >= {from:DateTime} AND time < {to:DateTime} AND $counted
        )
        GROUP BY model, deploy_hash, stage, segment, series, time, value, kind
    )
    GROUP BY model, deploy_hash, stage, segment, series, time
)
