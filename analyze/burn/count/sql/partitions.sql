-- Until when, by Kafka's clock, all of each partition of predictions is stored that stored
-- anything lately. A producer's clock may be fast.
SELECT toString(topic), partition, toUnixTimestamp64Milli(max(least(known_min, stored)))
FROM batches
WHERE `table` = 'predictions' AND stored > fromUnixTimestamp64Milli({since:Int64}, 'UTC')
GROUP BY topic, partition
