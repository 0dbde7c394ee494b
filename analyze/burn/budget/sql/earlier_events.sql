-- Which indicators had events in a time before a period.
SELECT DISTINCT sli, '' AS part
FROM sli
WHERE sli IN {names:Array(String)} AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND total > 0
  AND time >= toDateTime({before:Int64}, 'UTC') AND time < toDateTime({from:Int64}, 'UTC')
