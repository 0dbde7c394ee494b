-- As windows.sql, of whole slices of time: a bad share of each, or 1 where it
-- misses its target.
SELECT sli, deploy_hash, bucket, sum(bad), toFloat64(count()), toFloat64(count()), toUnixTimestamp(max(slice)), argMax(bad, slice), toFloat64(1), toFloat64(1)
FROM (
    SELECT sli, deploy_hash, toStartOfInterval(time, toIntervalSecond({slice:Int64})) AS slice,
        if({target:Float64} > 0, toFloat64(sum(good) < {target:Float64} * sum(total)), 1 - sum(good) / sum(total)) AS bad,
        /*bucket*/ AS bucket
    FROM sli FINAL
    WHERE sli IN {slis:Array(String)} AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({end:Int64}, 'UTC')
    GROUP BY sli, deploy_hash, slice
    HAVING sum(total) > 0 AND toUnixTimestamp(slice) >= {from:Int64} AND toUnixTimestamp(slice) + {slice:Int64} <= {end:Int64}
)
GROUP BY sli, deploy_hash, bucket
SETTINGS do_not_merge_across_partitions_select_final = 1
