-- Accuracy of the last 24 hours of production predictions, over the labels that
-- are in, and the share of predictions that have one.
SELECT model, sum(labelled) AS labelled, sum(correct) AS correct, sum(requests) AS requests
FROM (
  SELECT model, labelled, correct, 0 AS requests
  FROM outcome_cells FINAL
  WHERE stage = 'production' AND segment = ''
    AND time > toDateTime({to:Int64}) - INTERVAL 24 HOUR AND time <= toDateTime({to:Int64})
  UNION ALL
  SELECT model, 0, 0, toInt64(count)
  FROM series_minute
  WHERE series = 'requests' AND segment = '' AND stage = 'production' AND model != ''
    AND time > toDateTime({to:Int64}) - INTERVAL 24 HOUR AND time <= toDateTime({to:Int64})
)
GROUP BY model
