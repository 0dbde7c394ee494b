-- Predictions, labels and correct ones by hour of the prediction, 48 hours.
SELECT hour, sum(labelled) AS labelled, sum(correct) AS correct, sum(requests) AS requests
FROM (
  SELECT toStartOfHour(time) AS hour, labelled, correct, 0 AS requests
  FROM outcome_cells FINAL
  WHERE model = {model:String} AND stage = 'production' AND segment = ''
    AND time >= toStartOfHour(toDateTime({to:Int64})) - INTERVAL 47 HOUR AND time <= toDateTime({to:Int64})
  UNION ALL
  SELECT time AS hour, 0, 0, toInt64(count)
  FROM series_hour
  WHERE model = {model:String} AND series = 'requests' AND segment = '' AND stage = 'production'
    AND time >= toStartOfHour(toDateTime({to:Int64})) - INTERVAL 47 HOUR AND time <= toDateTime({to:Int64})
)
GROUP BY hour
ORDER BY hour
