-- Labelled predictions with scores of their classes, and how many have the truth
-- among the best k: a tie counts against it.
SELECT part, sum(requests), toInt64(count()), sum(requests * requests), sum(requests * hit)
FROM (
    SELECT arrayJoin(/*parts*/) AS part, toInt64(requests) AS requests,
        mapFilter((name, score) -> startsWith(name, {class_scores:String}), numbers) AS scores, concat({class_scores:String}, label) AS own,
        mapContains(scores, own) AND arrayCount((name, score) -> name != own AND score >= scores[own], mapKeys(scores), mapValues(scores)) < {k:UInt16} AS hit
    FROM /*labelled*/ AS l INNER JOIN (/*features*/) AS f ON l.prediction_id = f.id
    WHERE label != ''
)
WHERE length(scores) > 0
GROUP BY part
ORDER BY part
