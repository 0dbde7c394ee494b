-- Ids whose history changed: those of new labels, and those of new predictions
-- that a label already waits for. Included into the other statements as a
-- subquery.
SELECT model, prediction_id
FROM labels
WHERE known >= fromUnixTimestamp64Milli({labels_known_min:Int64}, 'UTC')
  AND known <= fromUnixTimestamp64Milli({labels_known_max:Int64}, 'UTC')
  AND _offset >= {labels_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
  AND _offset < {labels_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
UNION ALL
SELECT model, prediction_id
FROM (
/*awaited*/
)
