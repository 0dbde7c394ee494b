-- What the step's new labels met, by id: how many labels there are, whether they
-- have a prediction, and whether they came after its retention. Included into other
-- statements as a subquery.
SELECT model, prediction_id, sum(fresh) AS labels, max(met) AS met, max(late) AS expired
FROM (
    SELECT toString(model) AS model, prediction_id, toUInt64(1) AS fresh, 0 AS met, 0 AS late
    FROM labels
    WHERE /*new labels*/
    UNION ALL
    SELECT toString(model) AS model, prediction_id, toUInt64(0), 1, toStartOfHour(min(ts)) < fromUnixTimestamp64Milli({oldest:Int64}, 'UTC')
    FROM predictions
    WHERE (model, prediction_id) GLOBAL IN (SELECT model, prediction_id FROM touched)
      AND toDate(ts) IN {days:Array(Date)}
      AND stage != 'training'
      AND _offset < {ends:Map(String, Int64)}[concat(_topic, '/', _epoch, '/', toString(_partition))]
    GROUP BY model, prediction_id
)
GROUP BY model, prediction_id
