-- Events of indicators in a period, bad ones and all, and the first minute of them.
SELECT sli, '' AS part, toFloat64(sum(total) - sum(good)), toFloat64(sum(total)), min(time)
FROM sli FINAL
WHERE sli IN {names:Array(String)} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY sli
SETTINGS do_not_merge_across_partitions_select_final = 1
