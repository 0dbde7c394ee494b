-- Labelled predictions with a score of each class, one row each.
SELECT part, label, requests, arrayMap(name -> substring(name, length({class_scores:String}) + 1), arraySort(mapKeys(scores))) AS classes, arrayMap(name -> scores[name], arraySort(mapKeys(scores))) AS values
FROM (
    SELECT arrayJoin(/*parts*/) AS part, label, toInt64(requests) AS requests, mapFilter((name, score) -> startsWith(name, {class_scores:String}) AND isFinite(score), numbers) AS scores
    FROM /*labelled*/ AS l INNER JOIN (/*features*/) AS f ON l.prediction_id = f.id
    WHERE label != ''
)
WHERE length(scores) > 0
