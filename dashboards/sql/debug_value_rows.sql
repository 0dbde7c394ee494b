SELECT time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage)), ' predicted value') AS line, grid,
  min(series_hour.min) AS least_seen, max(series_hour.max) AS greatest_seen, sumMap(series_hour.hist) AS hist
FROM series_hour
WHERE model IN ($model) AND series = 'predicted_value' AND segment = '' AND stage != 'training' AND time >= toStartOfHour($__fromTime) AND time <= $__toTime
GROUP BY time, line, grid
