-- Events of an indicator in a period, bad ones and all, and the first minute of them.
SELECT toFloat64(sum(total) - sum(good)), toFloat64(sum(total)), min(time)
FROM sli FINAL
WHERE sli = {sli:String} AND model = {model:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
