-- Counts by indicator, deploy and the shortest window that holds the minute, for
-- windows that all end at one time; and the last minute that has any.
SELECT sli, deploy_hash, bucket, toFloat64(sum(total)) - toFloat64(sum(good)), toFloat64(sum(total)), toFloat64(sum(sli.rows)), toUnixTimestamp(max(time)),
    toFloat64(argMax(total, time)) - toFloat64(argMax(good, time)), toFloat64(argMax(total, time)), toFloat64(argMax(sli.rows, time))
FROM (
    SELECT sli, deploy_hash, time, good, total, sli.rows, /*bucket*/ AS bucket
    FROM sli FINAL
    WHERE sli IN {slis:Array(String)} AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({end:Int64}, 'UTC')
) AS sli
GROUP BY sli, deploy_hash, bucket
SETTINGS do_not_merge_across_partitions_select_final = 1
