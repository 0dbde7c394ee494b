-- Up to where a topic partition is stored: ingest finishes one batch before it
-- begins to store the next, so the last one tells.
SELECT last + 1
FROM batches
WHERE topic = {topic:String} AND epoch = {epoch:String} AND partition = {partition:Int32} AND table = {table:String}
ORDER BY topic DESC, epoch DESC, partition DESC, first DESC
LIMIT 1
