-- Labelled predictions whose answer or truth is a class, counted by hours of the
-- prediction and of knowing its label, as classes.sql counts them one by one.
SELECT part, predicted, label, other, grid, sum(n), sum(right_n), sum(rows_n), toFloat64(sum(squares_n)), sum(scored_n),
    toFloat64(sum(losses.1)) / 1e9, toFloat64(sum(losses.2)) / 1e9, toFloat64(sum(losses.3)) / 1e9, toFloat64(sum(losses.4)) / 1e9,
    (sumMap(hist.1, hist.2) AS merged).1, merged.2
FROM (
    SELECT /*part*/ AS part, toString(predicted) AS predicted, toString(label) AS label, other, toString(grid) AS grid, hist,
        hours.count AS n, hours.correct AS right_n, hours.rows AS rows_n, squares AS squares_n, scored AS scored_n,
        if(label = {positive:String} AND other < 2,
            tuple(log_nano, log_squared_nano, gap_squared_nano, gap_fourth_nano),
            tuple(log_not_nano, log_not_squared_nano, gap_not_squared_nano, gap_not_fourth_nano)) AS losses
    FROM outcome_hours AS hours FINAL
    WHERE model = {model:String} AND stage = {stage:String} AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
      AND /*slice*/ AND time >= parseDateTimeBestEffort({since:String}, 'UTC') AND time < parseDateTimeBestEffort({until:String}, 'UTC')
      AND known < parseDateTimeBestEffort({as_of:String}, 'UTC')
)
WHERE predicted != '' OR label != '' OR other != 0
GROUP BY part, predicted, label, other, grid
HAVING sum(n) != 0
ORDER BY part
