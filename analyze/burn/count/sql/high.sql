-- How far batches of predictions are complete, and the range of Kafka timestamps
-- of those completed since.
SELECT toUnixTimestamp64Milli(max(stored)), toUnixTimestamp64Milli(min(known_min)), toUnixTimestamp64Milli(max(known_max)), count()
FROM batches
WHERE `table` = 'predictions' AND stored > fromUnixTimestamp64Milli({since:Int64}, 'UTC')
