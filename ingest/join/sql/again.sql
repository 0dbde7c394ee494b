-- Hashes of touched ids that have a label besides those that are new: of most,
-- the one label is new. There may be one too many, of another id with that hash or
-- where a statement was repeated. A new label is taken off only where it is counted
-- for certain: one so old that its row in labels_by_id may have expired is not.
SELECT hash
FROM (
    SELECT /*day hash*/ AS hash, 1 AS n
    FROM labels_by_id
    WHERE /*day hash*/ GLOBAL IN (SELECT /*id hash*/ FROM touched)
    UNION ALL
    SELECT
        /*id hash*/ AS hash,
        toInt8(/*unindexed labels*/) - toInt8(/*new labels*/ AND known >= fromUnixTimestamp64Milli({oldest:Int64}, 'UTC')) AS n
    FROM labels
    WHERE (/*unindexed labels*/ OR /*new labels*/)
      AND /*id hash*/ GLOBAL IN (SELECT /*id hash*/ FROM touched)
)
GROUP BY hash
HAVING sum(n) > 0
