-- Events of an indicator, good ones and the first minute of them in a period.
SELECT toInt64(sum(total)), toInt64(sum(good)), min(time)
FROM sli FINAL
WHERE sli = {sli:String} AND model = {model:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
