-- Of which identifiers there are new labels, by a hash. A row that is written again
-- says that there are two.
INSERT INTO labels_by_id (id_day)
SELECT /*id known*/
FROM labels
WHERE /*unindexed labels*/
