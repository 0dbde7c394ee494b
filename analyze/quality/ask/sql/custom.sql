-- An expression over all rows of a part, group 20, and over all but each of twenty
-- groups of them: a delete-a-group jackknife. How many rows have each of the features
-- that it names goes with it.
SELECT part, toInt64(left_out) AS left_out, toInt64(count()) AS rows, sum(toInt64(requests)) AS weights, toFloat64(/*expression*/) AS value, /*have*/
FROM (
    SELECT arrayJoin(/*parts*/) AS part, l.*, /*features*/ arrayJoin(arrayFilter(g -> g != cityHash64(l.prediction_id) % 20, range(21))) AS left_out
    FROM /*joined*/
)
GROUP BY part, left_out
ORDER BY part, left_out
