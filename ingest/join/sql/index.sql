-- The days of new predictions, by a hash of their identifiers. Rows that are
-- written again are the same rows.
INSERT INTO days_by_id (id_day)
SELECT /*id day*/
FROM predictions
WHERE /*unindexed predictions*/
  AND stage != 'training'
