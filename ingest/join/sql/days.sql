-- The days in which a touched id has deliveries. The only statement that looks
-- through all of history, it reads as little as it can; the others look into these
-- partitions alone.
WITH
touched AS (
/*touched*/
)
SELECT groupUniqArray(toString(toDate(ts)))
FROM predictions
WHERE (model, prediction_id) IN (SELECT model, prediction_id FROM touched)
