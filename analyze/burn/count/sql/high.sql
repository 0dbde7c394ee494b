-- How far batches of predictions are complete.
SELECT toUnixTimestamp64Milli(max(stored)) FROM batches WHERE `table` = 'predictions'
