-- Every cell of the minutes that a touched id stands in, summed again from the
-- newest rows. The version is the sum of the rows' versions: rows never vanish
-- and their versions only grow, so it grows with every change.
INSERT INTO outcome_cells (model, deploy_hash, stage, segment, time, known, labelled, correct, rows, version)
WITH
touched AS (
/*touched*/
),
minutes AS (
    SELECT DISTINCT model, toStartOfMinute(ts) AS minute
    FROM predictions
    WHERE (model, prediction_id) IN (SELECT model, prediction_id FROM touched) AND stage != 'training'
)
SELECT
    model, deploy_hash, stage, '', toDateTime(toStartOfMinute(ts), 'UTC'), toDateTime(toStartOfHour(known), 'UTC'),
    sum(labelled * toInt64(requests)), sum(correct * toInt64(requests)), sum(toInt64(labelled)), sum(version)
FROM outcomes FINAL
WHERE toDate(ts) IN (SELECT toDate(minute) FROM minutes)
  AND (model, toStartOfMinute(ts)) IN (SELECT model, minute FROM minutes)
GROUP BY model, deploy_hash, stage, toStartOfMinute(ts), toStartOfHour(known)
SETTINGS do_not_merge_across_partitions_select_final = 1
