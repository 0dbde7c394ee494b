-- Every label of the touched ids: those that were there before, by their ids, of the
-- ids that have such, and the new ones by when they became known. Included into
-- other statements as a subquery. Of a granule most rows are of other ids, and a
-- number is tried sooner than a model and a text.
WITH
again AS (
    SELECT model, prediction_id
    FROM touched AS ids
    WHERE /*id hash*/ IN {again:Array(UInt64)}
)
SELECT model, prediction_id, ts, known, _topic, _partition, _offset, _epoch, deleted, label, label_value
FROM labels
PREWHERE cityHash64(prediction_id) GLOBAL IN (SELECT cityHash64(prediction_id) FROM again)
WHERE (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM again)
  AND NOT (/*new labels*/)
UNION ALL
SELECT model, prediction_id, ts, known, _topic, _partition, _offset, _epoch, deleted, label, label_value
FROM labels
WHERE /*new labels*/
