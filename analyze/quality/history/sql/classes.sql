-- The classes that a model predicts, and whether it says more than can be named.
SELECT value, sum(count) AS n
FROM categories_hour
WHERE model = {model:String} AND series = 'predicted' AND segment = '' AND stage = 'production' AND kind != 1 AND value != ''
  AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
GROUP BY value
ORDER BY n DESC, value
LIMIT 3
