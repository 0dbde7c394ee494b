-- The batch oracle of outcome_hours: what each hour of knowing changed, computed
-- from the raw rows alone, less what is stored. Where a cell has more classes than
-- have names it is compared as a whole.
WITH
/*histories*/,
moves AS (
    SELECT
        model, toString(p.3) AS deploy_hash, toString(p.4) AS stage, toDateTime(toStartOfHour(p.2), 'UTC') AS time, toDateTime(change.1, 'UTC') AS hour,
        p.5 AS predicted, change.2 AS sign, change.3 AS label, p.6 AS predicted_value, change.4 AS y, p.9 AS score, toInt64(p.7) AS times,
        propensity_of AS propensity, segment_names AS slices
    FROM hours
    ARRAY JOIN arrayFilter(c -> c.2 != 0, arrayConcat(
        arrayMap((h, t) -> tuple(h, t.1, t.2, t.3), known_hours, truths),
        arrayMap((h, t) -> tuple(h, -t.1, t.2, t.3), arrayPopFront(known_hours), arrayPopBack(truths)))) AS change
),
priced AS (
/*priced*/
),
both AS (
    SELECT
        model, deploy_hash, stage, segment, time, hour, predicted, label, toUInt8(0) AS other, grid,
/*summed*/
    FROM priced
    ARRAY JOIN slices AS segment
    GROUP BY model, deploy_hash, stage, segment, time, hour, predicted, label, grid
    UNION ALL
    SELECT
        toString(model), toString(deploy_hash), toString(stage), toString(segment), time, known, toString(predicted), toString(label), other, toString(grid),
        /*negatives*/
    FROM outcome_hours FINAL
),
cells AS (
    SELECT
        *, max(other) OVER cell != 0 OR length(groupUniqArrayArray([predicted, label]) OVER cell) > 21 AS capped
    FROM both
    WINDOW cell AS (PARTITION BY model, deploy_hash, stage, time, hour)
)
SELECT countIf(segment = ''), countIf(segment != '')
FROM (
    SELECT segment
    FROM cells
    GROUP BY model, deploy_hash, stage, segment, time, hour, if(capped, '', predicted), if(capped, '', label), grid
    HAVING /*unequal*/
)
