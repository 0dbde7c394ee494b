-- What the step's new labels met: how many there are, how many wait for their
-- prediction, how many of those name another model than the prediction of their
-- id, how many came after their prediction's retention, and how many predictions
-- are computed.
WITH
touched AS (
/*touched*/
),
met AS (
    SELECT model, prediction_id, toStartOfHour(min(ts)) < fromUnixTimestamp64Milli({oldest:Int64}, 'UTC') AS expired
    FROM predictions
    WHERE (model, prediction_id) IN (SELECT model, prediction_id FROM touched)
      AND toDate(ts) IN {days:Array(Date)}
      AND stage != 'training'
      AND _offset < {ends:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
    GROUP BY model, prediction_id
),
fresh AS (
    SELECT model, prediction_id
    FROM labels
    WHERE known >= fromUnixTimestamp64Milli({labels_known_min:Int64}, 'UTC')
      AND known <= fromUnixTimestamp64Milli({labels_known_max:Int64}, 'UTC')
      AND _offset >= {labels_from:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
      AND _offset < {labels_to:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
),
unmet AS (
    SELECT prediction_id FROM fresh WHERE (model, prediction_id) NOT IN (SELECT model, prediction_id FROM met)
),
-- Of a thousand that are not met: a producer that sends labels of predictions it
-- does not send has more than can be looked for among all models.
elsewhere AS (
    SELECT prediction_id
    FROM predictions
    WHERE stage != 'training' AND (model, prediction_id) IN (
        SELECT m.model, u.prediction_id
        FROM (SELECT DISTINCT prediction_id FROM unmet LIMIT 1000) AS u
        CROSS JOIN (SELECT DISTINCT toString(model) AS model FROM series_hour WHERE series = 'requests' AND model != '') AS m)
)
SELECT
    count() AS labels,
    countIf((model, prediction_id) NOT IN (SELECT model, prediction_id FROM met)) AS waiting,
    countIf((model, prediction_id) NOT IN (SELECT model, prediction_id FROM met) AND prediction_id IN (SELECT prediction_id FROM elsewhere)) AS misdirected,
    countIf((model, prediction_id) IN (SELECT model, prediction_id FROM met WHERE expired)) AS late,
    (SELECT uniqExact(model, prediction_id) FROM met WHERE NOT expired) AS predictions
FROM fresh
