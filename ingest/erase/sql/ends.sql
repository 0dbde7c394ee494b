-- Up to where each topic partition is stored: ingest finishes one batch before it
-- begins to store the next.
SELECT concat(topic, '/', epoch, '/', toString(partition)) AS source, max(last) + 1
FROM batches
WHERE table = {table:String}
GROUP BY source
