-- The labelled results of each ranked list, in the order of the model's scores.
SELECT part, arrayMap(x -> x.3, arraySort(groupArray(tuple(-score, prediction_id, relevance))))
FROM (
    SELECT arrayJoin(/*parts*/) AS part, assumeNotNull(score) AS score, l.prediction_id AS prediction_id, /*list*/ AS list,
        toFloat64(if(isNotNull(label_value), assumeNotNull(label_value), label = {positive:String})) AS relevance
    FROM /*labelled*/ AS l/*features*/
    WHERE isNotNull(score) AND NOT isNaN(score) AND list != ''
)
GROUP BY part, list
ORDER BY part
