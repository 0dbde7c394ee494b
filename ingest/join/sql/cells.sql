-- The cells that labels of a touched id stand in, each summed again from the
-- newest rows: of a minute, those of the hours in which these labels became known.
-- The version is the sum of the versions of all rows of the minute and hour, in
-- whichever segments they are: rows never vanish and their versions only grow, so
-- it grows with every change. A segment that has a cell and no row any more gets
-- zeros under that version.
INSERT INTO outcome_cells (
    model, deploy_hash, stage, segment, time, known, labelled, correct, rows, squares, weighed,
    inverse_nano, inverse_correct_nano, inverse_squared_nano, inverse_correct_squared_nano, version)
WITH
touched AS (
/*touched*/
),
places AS (
/*places*/
),
changes AS (
    SELECT
        toString(model) AS model, toString(deploy_hash) AS deploy_hash, toString(stage) AS stage, toString(segment) AS segment,
        toDateTime(toStartOfMinute(ts), 'UTC') AS time, toDateTime(toStartOfHour(known), 'UTC') AS hour,
        toInt64(labelled) AS gained_rows, toInt64(correct) AS hits, toInt64(requests) AS times,
        toInt64(isNotNull(propensity)) AS known_share, /*inverse*/ AS inverse, /*nano*/(inverse, inverse * inverse) AS nano_floats, /*nano parts*/ AS nanos, /*nano whole*/ AS nano, version
    FROM outcomes FINAL
    ARRAY JOIN arrayConcat([toLowCardinality('')], segments) AS segment
    WHERE toDate(ts) IN {days:Array(Date)}
      AND (model, toStartOfMinute(ts), toStartOfHour(known)) GLOBAL IN (SELECT model, minute, hour FROM places)
    UNION ALL
    SELECT toString(model), toString(deploy_hash), toString(stage), toString(segment), time, known, toInt64(0), toInt64(0), toInt64(0), toInt64(0), 0., [0., 0.], [0., 0.], [toInt128(0), toInt128(0)], toUInt64(0)
    FROM outcome_cells
    WHERE segment != '' AND (model, time, known) GLOBAL IN (SELECT model, minute, hour FROM places)
)
SELECT
    model, deploy_hash, stage, segment, time, hour,
    sum(gained_rows * times), sum(hits * times), sum(gained_rows), sum(toInt128(gained_rows) * times * times), sum(gained_rows * known_share),
    sum(gained_rows * nano[1]), sum(hits * nano[1]),
    sum(gained_rows * nano[2]), sum(hits * nano[2]),
    -- The whole, segment '', has every row.
    max(sum(version)) OVER (PARTITION BY model, deploy_hash, stage, time, hour)
FROM changes
GROUP BY model, deploy_hash, stage, segment, time, hour
SETTINGS do_not_merge_across_partitions_select_final = 1
