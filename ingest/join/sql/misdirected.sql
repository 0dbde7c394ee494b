-- How many of the step's new labels have no prediction where another model has one
-- of their id.
WITH
touched AS (
/*touched*/
),
unmet AS (
    SELECT prediction_id, labels
    FROM (
/*met*/
    )
    WHERE NOT met
),
-- Of a thousand that are not met: a producer that sends labels of predictions it
-- does not send has more than can be looked for among all models.
candidates AS (
    SELECT m.model AS model, u.prediction_id AS prediction_id
    FROM (SELECT DISTINCT prediction_id FROM unmet ORDER BY prediction_id LIMIT 1000) AS u
    CROSS JOIN (SELECT DISTINCT toString(model) AS model FROM series_hour WHERE series = 'requests' AND model != '') AS m
)
SELECT sum(labels)
FROM unmet
WHERE prediction_id GLOBAL IN (
    SELECT prediction_id
    FROM predictions
    WHERE stage != 'training'
      AND toDate(ts) GLOBAL IN (SELECT /*day*/ FROM days_by_id WHERE /*day hash*/ GLOBAL IN (SELECT /*id hash*/ FROM candidates))
      AND (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM candidates))
