-- Ids of new predictions that a label already waits for, included into other
-- statements as a subquery. "New" is a range of offsets per topic partition; the
-- range of Kafka timestamps beside it lets the index skip what is older, and that of
-- event times whole days: the indexes of all days would cost as much as there are
-- days. Of a granule of labels most rows are of other ids, and a number is tried
-- sooner than a model and a text.
WITH
fresh AS (
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
SELECT model, prediction_id
FROM labels
PREWHERE cityHash64(prediction_id) GLOBAL IN (SELECT cityHash64(prediction_id) FROM fresh)
WHERE (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM fresh)
