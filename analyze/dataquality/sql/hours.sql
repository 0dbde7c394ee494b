-- What each feature was hour by hour, whichever deploy served: least and
-- greatest number, or one category and how many there were.
SELECT series, time, least, most, one, kinds
FROM (
  SELECT series, time, min(min) AS least, max(max) AS most, '' AS one, toUInt64(0) AS kinds
  FROM series_hour
  WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND stage = {stage:String}
    AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  GROUP BY series, time
  HAVING sum(count) > 0
  UNION ALL
  SELECT series, time, nan AS least, nan AS most, any(value) AS one, uniqExact(value, kind) AS kinds
  FROM categories_hour
  WHERE model = {model:String} AND startsWith(series, 'feature:') AND segment = '' AND stage = {stage:String} AND kind != 1
    AND time >= toDateTime({from:Int64}, 'UTC') AND time < toDateTime({to:Int64}, 'UTC')
  GROUP BY series, time
)
ORDER BY series, time
