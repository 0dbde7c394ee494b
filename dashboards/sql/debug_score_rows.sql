SELECT toStartOfFiveMinutes(time) AS time, concat(model, ' ', deploy_hash, if(stage = 'production', '', concat(' ', stage))) AS line, grid,
  min(series_minute.min) AS least_seen, max(series_minute.max) AS greatest_seen, sumMap(series_minute.hist) AS hist
FROM series_minute
WHERE model IN ($model) AND series = 'score' AND segment = '' AND stage != 'training' AND time >= $__fromTime AND time <= $__toTime
GROUP BY time, line, grid
