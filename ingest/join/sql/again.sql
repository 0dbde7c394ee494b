-- Hashes of touched ids that have a label besides those that are new: of most,
-- the one label is new. There may be one too many, of another id with that hash or
-- where a step that was killed is repeated.
SELECT hash
FROM (
    SELECT /*day hash*/ AS hash, 1 AS n
    FROM labels_by_id
    WHERE /*day hash*/ GLOBAL IN (SELECT /*id hash*/ FROM touched)
    UNION ALL
    SELECT /*id hash*/ AS hash, 1 AS n
    FROM labels
    WHERE /*unindexed labels*/
      AND /*id hash*/ GLOBAL IN (SELECT /*id hash*/ FROM touched)
    UNION ALL
    SELECT /*id hash*/ AS hash, -1 AS n
    FROM labels
    WHERE /*new labels*/
)
GROUP BY hash
HAVING sum(n) > 0
