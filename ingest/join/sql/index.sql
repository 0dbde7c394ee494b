-- The days of new predictions, by a hash of their identifiers. Rows that are
-- written again are the same rows.
INSERT INTO days_by_id (id_day)
SELECT /*id day*/
FROM predictions
WHERE known >= fromUnixTimestamp64Milli({index_known_min:Int64}, 'UTC')
  AND known <= fromUnixTimestamp64Milli({index_known_max:Int64}, 'UTC')
  AND ts >= fromUnixTimestamp64Milli({index_ts_min:Int64}, 'UTC')
  AND ts <= fromUnixTimestamp64Milli({index_ts_max:Int64}, 'UTC')
  AND stage != 'training'
  AND _offset >= {index_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
  AND _offset < {index_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
