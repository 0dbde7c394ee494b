-- Counts by indicator, deploy and hour, and those of the last minute that has any; of
-- some hours, if they are given.
SELECT sli, deploy_hash, toUnixTimestamp(toStartOfHour(time)) AS hour, sum(good), sum(total), sum(sli.rows), toUnixTimestamp(max(time)), argMax(good, time), argMax(total, time), argMax(sli.rows, time)
FROM sli FINAL
WHERE sli IN {slis:Array(String)} AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND (empty({hours:Array(Int64)}) OR toUnixTimestamp(toStartOfHour(time)) IN {hours:Array(Int64)})
GROUP BY sli, deploy_hash, hour
SETTINGS do_not_merge_across_partitions_select_final = 1
