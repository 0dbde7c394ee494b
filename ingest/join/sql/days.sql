-- The days in which a touched id has deliveries; the other statements look into
-- these partitions alone. What days_by_id does not cover yet is read from the
-- predictions themselves. They are many small reads, and each would cost a thread
-- of a pool to wait for.
WITH
touched AS (
/*touched*/
)
SELECT groupUniqArray(toString(day))
FROM (
    SELECT /*day*/ AS day
    FROM days_by_id
    WHERE /*day hash*/ GLOBAL IN (SELECT /*id hash*/ FROM touched)
    UNION ALL
    SELECT toDate(ts) AS day
    FROM predictions
    WHERE /*unindexed predictions*/
      AND (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM touched)
)
SETTINGS local_filesystem_read_method = 'pread'
