SELECT
    model, deploy_hash, stage, segment, series, time, value, kind, sum(n) AS count, count() AS rows
FROM
(
    SELECT
        model, deploy_hash, stage, toStartOfHour(ts) AS time, $segments AS slices, item.1 AS series, item.3 AS kind, $requests AS n,
        -- Cut at 256 bytes, at the start of a rune.
        substring(item.2, 1, multiIf(
            length(item.2) <= 256, 256,
            bitAnd(reinterpretAsUInt8(substring(item.2, 257, 1)), 192) != 128, 256,
            bitAnd(reinterpretAsUInt8(substring(item.2, 256, 1)), 192) != 128, 255,
            bitAnd(reinterpretAsUInt8(substring(item.2, 255, 1)), 192) != 128, 254,
            253)) AS value
    FROM $from
    ARRAY JOIN arrayConcat(
        if(predicted = '', [], [('predicted', toString(predicted), toUInt8(0))]),
        arrayMap((k, c) -> (concat('feature:', toString(k)), c, toUInt8(0)), mapKeys(categories), mapValues(categories)),
        arrayMap(k -> (concat('feature:', toString(k)), '', toUInt8(1)), nulls)
    ) AS item
    WHERE $scope
)
ARRAY JOIN slices AS segment
GROUP BY model, deploy_hash, stage, segment, time, series, value, kind
