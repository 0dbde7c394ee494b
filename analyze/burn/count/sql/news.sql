-- Batches of predictions that were completed since: which, of how many rows, when, and the ranges of
-- their Kafka timestamps and of the times of their events.
SELECT sipHash64(topic, epoch, partition, first, last, stored), batches.rows, toUnixTimestamp64Milli(stored),
    toUnixTimestamp64Milli(known_min), toUnixTimestamp64Milli(known_max), toUnixTimestamp64Milli(ts_min), toUnixTimestamp64Milli(ts_max)
FROM batches
WHERE `table` = 'predictions' AND stored > fromUnixTimestamp64Milli({since:Int64}, 'UTC')
