-- Every cell of the minutes that a touched id stands in, summed again from the
-- newest rows. The version is the sum of the versions of all rows of the minute
-- and hour, in whichever segments they are: rows never vanish and their versions
-- only grow, so it grows with every change. A segment that has a cell and no row
-- any more gets zeros under that version.
INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version)
WITH
touched AS (
/*touched*/
),
minutes AS (
    SELECT DISTINCT model, toStartOfMinute(ts) AS minute
    FROM predictions
    WHERE (model, prediction_id) IN (SELECT model, prediction_id FROM touched) AND stage != 'training'
),
changes AS (
    SELECT
        toString(model) AS model, toString(deploy_hash) AS deploy_hash, toString(stage) AS stage, toString(segment) AS segment,
        toDateTime(toStartOfMinute(ts), 'UTC') AS time, toDateTime(toStartOfHour(known), 'UTC') AS hour,
        labelled * toInt64(requests) AS gained, correct * toInt64(requests) AS gained_correct, toInt64(labelled) AS gained_rows, version
    FROM outcomes FINAL
    ARRAY JOIN arrayConcat([toLowCardinality('')], segments) AS segment
    WHERE toDate(ts) IN (SELECT toDate(minute) FROM minutes)
      AND (model, toStartOfMinute(ts)) IN (SELECT model, minute FROM minutes)
    UNION ALL
    SELECT toString(model), toString(deploy_hash), toString(stage), toString(segment), time, known, toInt64(0), toInt64(0), toInt64(0), toUInt64(0)
    FROM outcome_cells
    WHERE segment != '' AND (model, time) IN (SELECT model, toDateTime(minute, 'UTC') FROM minutes)
)
SELECT
    model, deploy_hash, stage, segment, time, hour, sum(gained), sum(gained_correct), sum(gained_rows),
    -- The whole, segment '', has every row.
    max(sum(version)) OVER (PARTITION BY model, deploy_hash, stage, time, hour)
FROM changes
GROUP BY model, deploy_hash, stage, segment, time, hour
SETTINGS do_not_merge_across_partitions_select_final = 1
