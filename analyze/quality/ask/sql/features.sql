-- The features of predictions that have a label: those of the delivery known
-- first. Where an exchange comes in halves they are in the request.
SELECT prediction_id AS id,
    argMin(numbers, tuple(known, toString(_topic), _partition, _offset)) AS numbers,
    argMin(categories, tuple(known, toString(_topic), _partition, _offset)) AS categories
FROM predictions
WHERE model = {model:String} AND half != 'response'
  AND ts >= parseDateTime64BestEffort({since:String}, 3, 'UTC') - INTERVAL 1 HOUR AND ts < parseDateTime64BestEffort({until:String}, 3, 'UTC') + INTERVAL 1 HOUR
  AND prediction_id GLOBAL IN (
    SELECT prediction_id FROM outcomes
    WHERE model = {model:String} AND ts >= parseDateTime64BestEffort({since:String}, 3, 'UTC') AND ts < parseDateTime64BestEffort({until:String}, 3, 'UTC'))
GROUP BY prediction_id
