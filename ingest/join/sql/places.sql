-- The minutes and hours of knowing that rows of outcomes stand in, of every
-- touched id: those of its deliveries with those of its labels.
SELECT DISTINCT d.model AS model, toStartOfMinute(d.ts) AS minute, toStartOfHour(greatest(l.known, d.known)) AS hour
FROM (
    SELECT model, prediction_id, ts, known
    FROM predictions
    WHERE (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM touched) AND stage != 'training' AND half != 'request'
      AND toDate(ts) IN {days:Array(Date)}
      AND toStartOfHour(ts) >= fromUnixTimestamp64Milli({oldest:Int64}, 'UTC')
) AS d
INNER JOIN (
    SELECT model, prediction_id, known
    FROM (
/*labels*/
    )
) AS l USING (model, prediction_id)
