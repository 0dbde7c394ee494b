-- Every model of the last 90 days, in whichever stage but training, with its production
-- predictions of the last hour and day (event time) and when the last one was. One that
-- was deployed and never answered is among them.
SELECT model, sum(hour) AS hour, sum(day) AS day, max(last) AS last
FROM (
  SELECT model, sumIf(count, stage = 'production' AND time > toDateTime({to:Int64}) - INTERVAL 1 HOUR) AS hour, sumIf(count, stage = 'production') AS day, maxIf(time, stage = 'production') AS last
  FROM series_minute
  WHERE series = 'requests' AND segment = '' AND stage != 'training' AND model != ''
    AND time > toDateTime({to:Int64}) - INTERVAL 24 HOUR AND time <= toDateTime({to:Int64})
  GROUP BY model
  UNION ALL
  SELECT model, 0, 0, maxIf(time, stage = 'production')
  FROM series_hour
  WHERE series = 'requests' AND segment = '' AND stage != 'training' AND model != ''
    AND time > toDateTime({to:Int64}) - INTERVAL 90 DAY AND time <= toDateTime({to:Int64})
  GROUP BY model
  UNION ALL
  SELECT DISTINCT model, 0, 0, toDateTime(0, 'UTC')
  FROM deployments
  WHERE stage != 'training' AND model != '' AND ts > toDateTime({to:Int64}) - INTERVAL 90 DAY AND ts <= toDateTime({to:Int64})
)
GROUP BY model
ORDER BY model
