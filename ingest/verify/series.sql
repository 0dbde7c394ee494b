SELECT
    model, deploy_hash, stage, segment, 'requests' AS series, '' AS grid, time,
    sum(n) AS count, count() AS rows, toUInt64(0) AS nulls, toUInt64(0) AS nans, toUInt64(0) AS infs,
    toInt128(0) AS sum_nano, inf AS min, -inf AS max,
    CAST(([], []), 'Tuple(Array(Int32), Array(UInt64))') AS hist
FROM
(
    SELECT model, deploy_hash, stage, $time AS time, $requests AS n, $segments AS slices
    FROM $from
    WHERE $scope AND half != 'response'
)
ARRAY JOIN slices AS segment
GROUP BY model, deploy_hash, stage, segment, time
UNION ALL
SELECT
    model, deploy_hash, stage, segment, series, $grid AS grid, time,
    sumIf(n, placed) AS count, countIf(placed) AS rows, toUInt64(0) AS nulls, sumIf(n, isNaN(value)) AS nans,
    sumIf(n, NOT placed AND NOT isNaN(value)) AS infs,
    sum(nano * n) AS sum_nano,
    minIf(v, placed) + if(rows = 0, inf, 0) AS min,
    maxIf(v, placed) - if(rows = 0, inf, 0) AS max,
    sumMap(if(placed AND grid != '', [$bucket], emptyArrayInt32()), if(placed AND grid != '', [n], emptyArrayUInt64())) AS hist
FROM
(
    SELECT
        model, deploy_hash, stage, slices, time, n, pair.1 AS series, pair.2 AS value,
        series = 'score' AND NOT has({number_models:Array(String)}, model) AS odds,
        isFinite(value) AND abs(value) <= 1e18 AND (NOT odds OR (value >= 0 AND value <= 1)) AS placed,
        if(placed, value, 0.) + 0. AS v,
        if(odds, v / (1 - v), v) AS x,
        $fullbucket AS bucket,
        -- toInt128 of a Float64 is not exact from 2^63 on, so the large ones are
        -- put together from mantissa and exponent (at most 2^90, so a shift of 37).
        roundBankers(v * 1e9) AS r,
        reinterpretAsUInt64(abs(r)) AS bits,
        if(abs(r) < 9223372036854775808.,
            toInt128(toInt64(if(abs(r) < 9223372036854775808., r, 0.))),
            toInt128(if(r < 0, -1, 1)) * toInt128(bitOr(bitAnd(bits, 4503599627370495), 4503599627370496))
                * toInt128(bitShiftLeft(toUInt64(1), toUInt8(greatest(0, toInt64(bitShiftRight(bits, 52)) - 1075))))) AS nano
    FROM
    (
        SELECT model, deploy_hash, stage, $segments AS slices, $time AS time, $requests AS n, score, predicted_value, latency_ms, disagreement, explained, numbers
        FROM $from
        WHERE $scope
    )
    ARRAY JOIN arrayConcat(
        if(isNull(score), [], [('score', assumeNotNull(score))]),
        if(isNull(predicted_value), [], [('predicted_value', assumeNotNull(predicted_value))]),
        if(isNull(latency_ms), [], [('latency_ms', assumeNotNull(latency_ms))]),
        if(isNull(disagreement), [], [('disagreement', assumeNotNull(disagreement))]),
        if(isNull(explained), [], [('explained', assumeNotNull(explained))]),
        arrayMap((k, v) -> (concat('feature:', toString(k)), v), mapKeys(numbers), mapValues(numbers))
    ) AS pair
)
ARRAY JOIN slices AS segment
GROUP BY model, deploy_hash, stage, segment, time, series, odds
