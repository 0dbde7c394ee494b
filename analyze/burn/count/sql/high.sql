-- How far batches of predictions are complete, and how many there are.
SELECT toUnixTimestamp64Milli(max(stored)), count() FROM batches WHERE `table` = 'predictions'
