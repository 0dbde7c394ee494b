-- How often a model was right, of the labels that are in.
SELECT toInt64(sum(labelled)), toInt64(sum(correct))
FROM outcome_cells FINAL
WHERE model = {model:String} AND stage = 'production' AND segment = ''
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
