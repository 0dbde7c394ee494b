-- Ids whose history changed: those of new labels, and those of new predictions
-- that a label already waits for. Included into the other statements as a
-- subquery. "New" is a range of offsets per topic partition; the range of
-- Kafka timestamps beside it lets the index skip everything older, and of
-- predictions one of event times whole days: the indexes of all days would cost as
-- much as there are days, here and in each statement.
SELECT model, prediction_id
FROM labels
WHERE known >= fromUnixTimestamp64Milli({labels_known_min:Int64}, 'UTC')
  AND known <= fromUnixTimestamp64Milli({labels_known_max:Int64}, 'UTC')
  AND _offset >= {labels_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
  AND _offset < {labels_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
UNION ALL
SELECT model, prediction_id
FROM labels
WHERE (model, prediction_id) GLOBAL IN (
    SELECT model, prediction_id
    FROM predictions
    WHERE known >= fromUnixTimestamp64Milli({predictions_known_min:Int64}, 'UTC')
      AND known <= fromUnixTimestamp64Milli({predictions_known_max:Int64}, 'UTC')
      AND ts >= fromUnixTimestamp64Milli({predictions_ts_min:Int64}, 'UTC')
      AND ts <= fromUnixTimestamp64Milli({predictions_ts_max:Int64}, 'UTC')
      AND stage != 'training'
      AND _offset >= {predictions_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
      AND _offset < {predictions_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
)
