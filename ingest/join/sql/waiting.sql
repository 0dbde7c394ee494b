-- Hashes of new predictions that a label may wait for. What labels_by_id does not
-- cover yet is read from the labels themselves.
SELECT /*day hash*/ AS hash
FROM labels_by_id
WHERE /*day hash*/ GLOBAL IN (SELECT /*id hash*/ FROM predictions WHERE /*new predictions*/ AND stage != 'training')
UNION ALL
SELECT /*id hash*/ AS hash
FROM labels
WHERE /*unindexed labels*/
  AND /*id hash*/ GLOBAL IN (SELECT /*id hash*/ FROM predictions WHERE /*new predictions*/ AND stage != 'training')
