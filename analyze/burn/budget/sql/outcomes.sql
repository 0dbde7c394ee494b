-- Labelled predictions of models and segments in a period, wrong ones and all, and the
-- first minute of them.
SELECT model, segment, toFloat64(sum(labelled) - sum(correct)), toFloat64(sum(labelled)), min(time)
FROM outcome_cells FINAL
WHERE model IN {names:Array(String)} AND segment IN {parts:Array(String)} AND stage = 'production' AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY model, segment
SETTINGS do_not_merge_across_partitions_select_final = 1
