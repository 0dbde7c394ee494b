-- Stored batches beyond the cursors. Ingest finishes one batch of a topic
-- partition before it begins the next, so a stored batch means that all before
-- it are stored. The condition is one range of the primary key per followed
-- partition, and everything of the partitions that are not followed yet.
SELECT topic, epoch, partition, table, last,
    toUnixTimestamp64Milli(known_min), toUnixTimestamp64Milli(known_max), toUnixTimestamp64Milli(ts_min), toUnixTimestamp64Milli(ts_max)
FROM batches
WHERE table IN ('predictions', 'labels') AND (/*beyond*/)
ORDER BY topic, epoch, partition, last, table
