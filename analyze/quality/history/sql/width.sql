-- How many features the predictions of a range have.
SELECT uniqExact(series)
FROM (
    SELECT toString(series) AS series FROM series_hour
    WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND stage = 'production'
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
    UNION ALL
    SELECT toString(series) FROM categories_hour
    WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND stage = 'production'
      AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
)
