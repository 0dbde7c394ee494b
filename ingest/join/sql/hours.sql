-- The rows of outcome_hours that labels of a touched id stand in, summed again as
-- cells.sql does it. A change is one that takes the former truth out and one that
-- puts the present one in.
INSERT INTO outcome_hours (
    model, deploy_hash, stage, segment, time, known, predicted, label, other, grid, /*sums*/, version)
WITH
touched AS (
/*touched*/
),
places AS (
/*places*/
),
moves AS (
    SELECT
        toString(model) AS model, toString(deploy_hash) AS deploy_hash, toString(stage) AS stage,
        toDateTime(toStartOfHour(ts), 'UTC') AS time, toDateTime(toStartOfHour(known), 'UTC') AS hour,
        toString(predicted) AS predicted, move.1 AS sign, toString(move.2) AS label, predicted_value, move.3 AS y,
        score, toInt64(requests) AS times, propensity, if(sign = 0, [''], arrayConcat([''], CAST(segments, 'Array(String)'))) AS slices,
        if(sign = 0, version, 0) AS weight
    FROM (
        SELECT
            *,
            -- A late label of lesser precedence, or one that repeats, changes nothing.
            held = holds AND former = truth AND (former_value <=> truth_value) AS same,
            arrayFilter(m -> m.1 != 0, if(same, [], [tuple(-toInt64(held), former, former_value), tuple(toInt64(holds), truth, truth_value)])) AS changes
        FROM outcomes FINAL
        WHERE toDate(ts) IN {days:Array(Date)}
          AND (model, toStartOfHour(ts), toStartOfHour(known)) GLOBAL IN (SELECT model, toStartOfHour(minute), hour FROM places)
    )
    -- The one without a sign bears the version of every row.
    ARRAY JOIN arrayPushBack(changes, tuple(toInt64(0), toLowCardinality(''), CAST(NULL, 'Nullable(Float64)'))) AS move
),
priced AS (
/*priced*/
),
sums AS (
    SELECT
        model, deploy_hash, stage, segment, time, hour, if(sign = 0, '', predicted) AS predicted_as, label, grid,
        sum(abs(sign) * times) AS changed, sum(weight) AS weight,
/*summed*/
    FROM priced
    ARRAY JOIN slices AS segment
    GROUP BY model, deploy_hash, stage, segment, time, hour, predicted_as, label, grid
),
-- The classes that have a name are those with most changes in all traffic.
capped AS (
    SELECT
        *, toUInt8(predicted_other + 2 * label_other) AS other,
        if(predicted_other, '', predicted_as) AS predicted_name, if(label_other, '', label) AS label_name
    FROM (
        SELECT
            *, predicted_as != '' AND NOT has(classes, predicted_as) AS predicted_other, label != '' AND NOT has(classes, label) AS label_other
        FROM (
            SELECT *, arrayMap(c -> c.2, arraySlice(arraySort(arrayMap((class, times) -> tuple(-times, class), tally.1, tally.2)), 1, 20)) AS classes
            FROM (
                SELECT
                    *, sumMap(if(segment = '', both, []), if(segment = '', arrayMap(c -> changed, both), [])) OVER (PARTITION BY model, deploy_hash, stage, time, hour) AS tally
                FROM (SELECT *, arrayFilter(c -> c != '', arrayDistinct([predicted_as, label])) AS both FROM sums)
            )
        )
    )
),
-- With the rows that are there already, in case nothing stands in them any more.
complete AS (
    SELECT model, deploy_hash, stage, segment, time, hour, predicted_name, label_name, other, grid, weight, /*sums*/
    FROM capped
    UNION ALL
    SELECT
        toString(model), toString(deploy_hash), toString(stage), toString(segment), time, known, toString(predicted), toString(label), other, toString(grid), toUInt64(0), /*zeros*/
    FROM outcome_hours
    WHERE (model, time, known) GLOBAL IN (SELECT model, toStartOfHour(minute), hour FROM places)
)
SELECT
    model, deploy_hash, stage, segment, time, hour, predicted_name, label_name, other, grid, /*totals*/,
    sum(sum(weight)) OVER (PARTITION BY model, deploy_hash, stage, time, hour)
FROM complete
GROUP BY model, deploy_hash, stage, segment, time, hour, predicted_name, label_name, other, grid
SETTINGS do_not_merge_across_partitions_select_final = 1
