-- Ids whose history changed: those of new labels, and those of new predictions
-- that a label already waits for. Included into the other statements as a
-- subquery. Which hashes these have was looked up before, see waiting.sql.
SELECT model, prediction_id
FROM labels
WHERE /*new labels*/
UNION ALL
SELECT model, prediction_id
FROM predictions
WHERE /*new predictions*/
  AND stage != 'training'
  AND /*id hash*/ IN {waiting:Array(UInt64)}
