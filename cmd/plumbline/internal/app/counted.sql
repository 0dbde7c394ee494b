-- Good and all events of an indicator by deploy, before a moment and since.
SELECT deploy_hash,
  toInt64(sumIf(total, time < toDateTime({from:Int64}, 'UTC'))), toInt64(sumIf(good, time < toDateTime({from:Int64}, 'UTC'))),
  toInt64(sumIf(total, time >= toDateTime({from:Int64}, 'UTC'))), toInt64(sumIf(good, time >= toDateTime({from:Int64}, 'UTC')))
FROM sli FINAL
WHERE sli = {sli:String} AND model = {model:String}
  AND time >= toDateTime({since:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY deploy_hash
HAVING sum(total) > 0
ORDER BY deploy_hash
