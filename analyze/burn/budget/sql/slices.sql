-- Whole slices of time in a period: bad ones or their bad shares, all of them, and the
-- first slice. All deploys of a slice are judged together.
SELECT sli, '' AS part, toFloat64(sum(if({target:Float64} > 0, toFloat64(good < {target:Float64} * total), 1 - good / total))), toFloat64(count()), min(slice)
FROM (
    SELECT sli, toStartOfInterval(time, toIntervalSecond({slice:Int64})) AS slice, sum(sli.good) AS good, sum(sli.total) AS total
    FROM sli FINAL
    WHERE sli IN {names:Array(String)} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
    GROUP BY sli, slice
    HAVING total > 0 AND toUnixTimestamp(slice) >= {from:Int64} AND toUnixTimestamp(slice) + {slice:Int64} <= {to:Int64}
)
GROUP BY sli
SETTINGS do_not_merge_across_partitions_select_final = 1
