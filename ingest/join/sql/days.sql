-- The days in which a touched id has deliveries; the other statements look into
-- these partitions alone. What id_days does not cover yet is read from the
-- predictions themselves.
WITH
touched AS (
/*touched*/
)
SELECT groupUniqArray(toString(day))
FROM (
    SELECT /*day*/ AS day
    FROM id_days
    WHERE /*day hash*/ GLOBAL IN (SELECT /*id hash*/ FROM touched)
    UNION ALL
    SELECT toDate(ts) AS day
    FROM predictions
    WHERE known >= fromUnixTimestamp64Milli({index_known_min:Int64}, 'UTC')
      AND known <= fromUnixTimestamp64Milli({index_known_max:Int64}, 'UTC')
      AND _offset >= {index_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
      AND _offset < {index_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
      AND (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM touched)
)
