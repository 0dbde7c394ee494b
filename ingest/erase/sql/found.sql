-- The rows of some identifiers by hour: those of complete batches, and those of
-- batches under way.
SELECT
    toStartOfHour(ts) AS hour,
    countIf(/*complete*/) AS rows,
    countIf(NOT (/*complete*/)) AS unfinished,
    min(ts) AS ts_min,
    max(ts) AS ts_max
FROM /*table*/
WHERE model = {model:String} AND prediction_id IN {ids:Array(String)}
GROUP BY hour
ORDER BY hour
