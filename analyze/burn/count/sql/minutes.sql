-- Counts by indicator, deploy and minute, of some hours and of all since another.
SELECT sli, deploy_hash, toUnixTimestamp(time), good, total, sli.rows
FROM sli FINAL
WHERE sli IN {slis:Array(String)} AND (time >= toDateTime({since:Int64}, 'UTC') OR toUnixTimestamp(toStartOfHour(time)) IN {hours:Array(Int64)})
  AND time >= toDateTime({from:Int64}, 'UTC')
SETTINGS do_not_merge_across_partitions_select_final = 1
