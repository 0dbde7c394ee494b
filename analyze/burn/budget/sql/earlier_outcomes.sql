-- Which models and segments had labelled predictions in a time before a period.
SELECT DISTINCT model, segment
FROM outcome_cells
WHERE model IN {names:Array(String)} AND segment IN {parts:Array(String)} AND stage = 'production' AND ({deploy:String} = '' OR deploy_hash = {deploy:String}) AND labelled > 0
  AND time >= toDateTime({before:Int64}, 'UTC') AND time < toDateTime({from:Int64}, 'UTC')
