-- Labelled predictions, right ones and the first minute of them in a period.
SELECT toInt64(sum(labelled)), toInt64(sum(correct)), min(time)
FROM outcome_cells FINAL
WHERE model = {model:String} AND stage = 'production' AND segment = {segment:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
