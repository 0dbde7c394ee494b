-- The labelled results of each ranked list, in the order of the model's scores, and
-- how many lists it stands for: where a producer samples, as many as its first
-- result stands for requests. Of how many requests and rows it is made.
SELECT part, arrayMap(x -> x.3, arraySort(groupArray(tuple(-score, prediction_id, relevance, times)))) AS relevances,
    toInt64(arraySort(groupArray(tuple(-score, prediction_id, relevance, times)))[1].4), toInt64(sum(times)), toInt64(count())
FROM (
    SELECT arrayJoin(/*parts*/) AS part, assumeNotNull(score) AS score, l.prediction_id AS prediction_id, /*list*/ AS list,
        l.requests AS times, toFloat64(if(isNotNull(label_value), assumeNotNull(label_value), label = {positive:String})) AS relevance
    FROM /*labelled*/ AS l/*features*/
    WHERE isNotNull(score) AND NOT isNaN(score) AND list != ''
)
GROUP BY part, list
ORDER BY part
