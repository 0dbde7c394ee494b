-- What a mean is made of, by every way of dividing the labelled predictions.
SELECT dimension, piece, sum(w), sum(w * hit)
FROM (
    SELECT toInt64(l.requests) AS w, toFloat64(/*hit*/) AS hit, arrayJoin(arrayConcat(
        [('', ''), ('deploy', deploy_hash)],
        arrayMap(s -> ('segment', toString(s)), arrayFilter(s -> position(s, ',') = 0, segments))/*pieces*/)) AS place, place.1 AS dimension, place.2 AS piece
    FROM /*joined*/
    WHERE /*of*/
)
GROUP BY dimension, piece
ORDER BY dimension, piece
