-- Categorical features of a window, and the nulls of every feature.
SELECT series, value, kind, sum(count)
FROM categories_hour
WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND stage = {stage:String}
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  AND ({deploy:String} = '' OR deploy_hash = {deploy:String})
GROUP BY series, value, kind
