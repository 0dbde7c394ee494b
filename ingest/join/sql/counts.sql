-- What the step's new labels met: how many there are, how many wait for their
-- prediction, and how many predictions were computed.
WITH
touched AS (
/*touched*/
),
met AS (
    SELECT model, prediction_id
    FROM predictions
    WHERE (model, prediction_id) IN (SELECT model, prediction_id FROM touched)
      AND stage != 'training'
      AND _offset < {ends:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
)
SELECT
    count() AS labels,
    countIf((model, prediction_id) NOT IN (SELECT model, prediction_id FROM met)) AS waiting,
    (SELECT uniqExact(model, prediction_id) FROM met) AS predictions
FROM labels
WHERE known >= fromUnixTimestamp64Milli({labels_known_min:Int64}, 'UTC')
  AND known <= fromUnixTimestamp64Milli({labels_known_max:Int64}, 'UTC')
  AND _offset >= {labels_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
  AND _offset < {labels_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
