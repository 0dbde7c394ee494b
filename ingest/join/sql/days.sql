-- The days in which a touched id has deliveries; the other statements look into
-- these partitions alone. What days_of_ids does not cover yet is read from the
-- predictions themselves. Of days_of_ids both columns are read at once: of so
-- small granules a second pass costs more than the day of the rows it spares.
WITH
touched AS (
/*touched*/
)
SELECT groupUniqArray(toString(day))
FROM (
    SELECT toDate(ts) AS day
    FROM days_of_ids
    WHERE id GLOBAL IN (SELECT cityHash64(toString(model), prediction_id) FROM touched)
    SETTINGS optimize_move_to_prewhere = 0
    UNION ALL
    SELECT toDate(ts) AS day
    FROM predictions
    WHERE known >= fromUnixTimestamp64Milli({index_known_min:Int64}, 'UTC')
      AND known <= fromUnixTimestamp64Milli({index_known_max:Int64}, 'UTC')
      AND _offset >= {index_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
      AND _offset < {index_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
      AND (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM touched)
)
