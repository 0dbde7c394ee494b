-- Labelled predictions of a period, wrong ones and all, and the first minute of them.
SELECT toFloat64(sum(labelled) - sum(correct)), toFloat64(sum(labelled)), min(time)
FROM outcome_cells FINAL
WHERE model = {model:String} AND stage = 'production' AND segment = {segment:String} AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
