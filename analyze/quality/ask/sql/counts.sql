-- Requests of the window, and labels that were in by the end of an hour, by part,
-- from the rollups; sure are those that were in before the hour of as-of began.
SELECT part, sum(requests), sum(labelled), sum(correct), sum(rows), sum(sure)
FROM (
    SELECT /*part*/ AS part, toInt64(sum(count)) AS requests, toInt64(0) AS labelled, toInt64(0) AS correct, toInt64(0) AS rows, toInt64(0) AS sure
    FROM /*series*/
    WHERE model = {model:String} AND series = 'requests' AND stage = {stage:String} AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
      AND /*slice*/ AND time >= parseDateTimeBestEffort({since:String}, 'UTC') AND time < parseDateTimeBestEffort({until:String}, 'UTC')
    GROUP BY part
    UNION ALL
    SELECT /*part*/ AS part, toInt64(0), sum(cells.labelled), sum(cells.correct), sum(cells.rows),
        sumIf(cells.labelled, known < toStartOfHour(parseDateTimeBestEffort({as_of:String}, 'UTC')))
    FROM outcome_cells AS cells FINAL
    WHERE model = {model:String} AND stage = {stage:String} AND (empty({deploys:Array(String)}) OR has({deploys:Array(String)}, deploy_hash))
      AND /*slice*/ AND time >= parseDateTimeBestEffort({since:String}, 'UTC') AND time < parseDateTimeBestEffort({until:String}, 'UTC')
      AND known < parseDateTimeBestEffort({as_of:String}, 'UTC')
    GROUP BY part
)
GROUP BY part
ORDER BY part
